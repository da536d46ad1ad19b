use crate::dataset::Dataset;
use crate::stores::TargetStore;
use flate2::read::GzDecoder;
use ndarray::{Array1, Array2};
use softmax_core::{Element, ndarray};
use std::io::Read;

const SAMPLES: usize = 1797;
const PIXELS: usize = 64;
const FILE: &[u8] = include_bytes!("digits.csv.gz");

/// 1,797 handwritten digits of 8×8 pixels, as features from 0 to 1 (1797×64) and labels 0 to 9.
///
/// This is the test part of *Optical Recognition of Handwritten Digits*, E. Alpaydin and C. Kaynak, UCI Machine
/// Learning Repository, 1998, [doi:10.24432/C50P49](https://doi.org/10.24432/C50P49), licence CC BY 4.0, in
/// the copy that scikit-learn ships. The file's intensities, integers from 0 to 16, are divided by 16.
pub fn digits<T: Element>() -> Dataset<T> {
    let mut text = String::new();
    GzDecoder::new(FILE).read_to_string(&mut text).expect("the embedded file is intact");
    let mut features = Vec::with_capacity(SAMPLES * PIXELS);
    let mut labels = Vec::with_capacity(SAMPLES);
    for line in text.lines() {
        let (pixels, label) = line.rsplit_once(',').expect("the embedded file has a label in each row");
        features.extend(pixels.split(',').map(|x| T::narrow(number(x) / 16.0)));
        labels.push(number(label) as i64);
    }
    let features = Array2::from_shape_vec((labels.len(), PIXELS), features);
    let features = features.expect("the embedded file has 64 pixels in each row");
    Dataset::new("digits", features, TargetStore::Labels(Array1::from(labels)))
}

fn number(text: &str) -> f64 {
    text.parse().expect("the embedded file has numbers only")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_match_the_copy_of_scikit_learn() {
        let digits = digits::<f64>();
        assert_eq!(digits.features.dim(), (SAMPLES, PIXELS));
        // scikit-learn: load_digits().data.sum() / 16, and numpy.bincount(load_digits().target).
        assert_eq!(digits.features.clone().into_dense().sum(), 561_718.0 / 16.0);
        let TargetStore::Labels(labels) = &digits.targets else { panic!("digits have hard labels") };
        let mut counts = [0; 10];
        labels.iter().for_each(|&y| counts[y as usize] += 1);
        assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
    }
}
