//! x
use softmax_conformance::*;
use softmax_core::*;
fn all<T: Element>(b: &mut dyn SoftmaxBackend<T>) -> usize {
    let mut bad = 0;
    let mut worst = 0.0f64;
    for case in suite() {
        match run_case::<T>(&case, b) {
            Err(e) => {
                bad += 1;
                println!("{} {e}", case.name)
            }
            Ok(errors) => {
                for e in errors {
                    if !e.is_within_bound() {
                        bad += 1;
                        println!("{} {} {e}", T::DTYPE, case.name);
                    } else {
                        worst = worst.max(e.over_bound);
                    }
                }
            }
        }
    }
    println!("worst {worst}");
    bad
}
#[test]
fn passes() {
    let n = all::<f32>(&mut softmax_burn::Burn::flex()) + all::<f64>(&mut softmax_burn::Burn::flex());
    assert_eq!(n, 0);
}
