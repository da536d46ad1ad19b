#![no_main]

libfuzzer_sys::fuzz_target!(|plan: softmax_fuzz::Plan| softmax_fuzz::evaluate(plan));
