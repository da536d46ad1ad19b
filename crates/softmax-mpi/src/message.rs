//! Converts statistics and facts of a rank's classes to bytes and back.

use crate::ranks::Wire;
use bytemuck::{Pod, cast_slice, pod_collect_to_vec};
use ndarray::{Array1, Array2};
use softmax_core::{ClassFacts, GroupStatistics, RowStatistics};

/// A message to other ranks: numbers as bytes.
#[derive(Debug, Default)]
pub(crate) struct Message(Vec<u8>);

/// Another rank's message. Numbers are taken in the order in which they were put. Lengths are not checked, because
/// both ranks run the same program.
#[derive(Debug)]
pub(crate) struct Received<'b>(pub(crate) &'b [u8]);

impl Message {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn put<A: Pod>(&mut self, numbers: &[A]) {
        self.0.extend_from_slice(cast_slice(numbers));
    }

    fn put_array<A: Pod>(&mut self, array: &Array1<A>) {
        match array.as_slice() {
            Some(numbers) => self.put(numbers),
            None => self.put(&array.to_vec()),
        }
    }

    pub(crate) fn put_statistics<T: Wire>(&mut self, statistics: &RowStatistics<T>) {
        let classes = statistics.classes();
        let largest = statistics.largest_class_weight();
        self.put(&[
            statistics.n_samples() as u64,
            statistics.groups().len() as u64,
            classes.start as u64,
            classes.end as u64,
            statistics.total_classes() as u64,
            u64::from(largest.is_some()),
            largest.unwrap_or(0.0).to_bits(),
        ]);
        self.put_array(&statistics.label_weights().to_owned());
        for group in statistics.groups() {
            self.put(&[group.class_weight, group.squared_norm]);
            self.put_array(&group.best.mapv(|best| best as u64));
            self.put_array(&group.mass);
            self.put_array(&group.cross);
            self.put_array(&group.max);
            self.put_array(&group.rest);
            self.put_array(&group.spread);
        }
    }

    /// Puts the facts of the rank's classes, except the labels' scores, which all ranks have.
    pub(crate) fn put_facts<T: Wire>(&mut self, facts: &ClassFacts<T>) {
        let (n, top) = facts.top_classes.dim();
        self.put(&[n as u64, top as u64]);
        self.put_array(&facts.above.mapv(|above| above as u64));
        self.put(&facts.top_classes.iter().map(|&class| class as u64).collect::<Vec<_>>());
        self.put(&facts.top_scores.iter().copied().collect::<Vec<_>>());
    }

    pub(crate) fn put_numbers<T: Wire>(&mut self, numbers: &Array1<T>) {
        self.put_array(numbers);
    }
}

impl Received<'_> {
    fn take<A: Pod>(&mut self, count: usize) -> Vec<A> {
        let (numbers, rest) = self.0.split_at(count * size_of::<A>());
        self.0 = rest;
        pod_collect_to_vec(numbers)
    }

    fn take_array<A: Pod>(&mut self, count: usize) -> Array1<A> {
        Array1::from_vec(self.take(count))
    }

    fn take_words<const K: usize>(&mut self) -> [u64; K] {
        let words: Vec<u64> = self.take(K);
        std::array::from_fn(|k| words[k])
    }

    pub(crate) fn take_statistics<T: Wire>(&mut self) -> RowStatistics<T> {
        let [n, groups, start, end, total, has_largest, largest] = self.take_words();
        let (n, classes) = (n as usize, start as usize..end as usize);
        let label_weights = self.take_array(n);
        let group = |_| {
            let [class_weight, squared_norm] = self.take_words().map(f64::from_bits);
            GroupStatistics {
                class_weight,
                squared_norm,
                best: self.take_array::<u64>(n).mapv(|best| best as usize),
                mass: self.take_array(n),
                cross: self.take_array(n),
                max: self.take_array(n),
                rest: self.take_array(n),
                spread: self.take_array(n),
            }
        };
        let groups = (0..groups).map(group).collect();
        let largest = (has_largest != 0).then_some(f64::from_bits(largest));
        RowStatistics::from_parts(classes, total as usize, label_weights, largest, groups)
    }

    pub(crate) fn take_facts<T: Wire>(&mut self, label_scores: &Array1<T>) -> ClassFacts<T> {
        let [n, top] = self.take_words().map(|word| word as usize);
        let above = self.take_array::<u64>(n).mapv(|above| above as usize);
        let classes: Vec<u64> = self.take(n * top);
        let mut scores = self.take::<T>(n * top).into_iter();
        let mut classes = classes.into_iter();
        // Both vectors have `n * top` numbers, one for each entry.
        let mut next_class = |_| classes.next().map_or(0, |class| class as usize);
        let mut next_score = |_| scores.next().unwrap_or(T::nan());
        ClassFacts {
            label_scores: label_scores.clone(),
            above,
            top_classes: Array2::from_shape_fn((n, top), &mut next_class),
            top_scores: Array2::from_shape_fn((n, top), &mut next_score),
        }
    }

    /// Takes all remaining numbers.
    pub(crate) fn take_numbers<T: Wire>(&mut self) -> Array1<T> {
        let count = self.0.len() / size_of::<T>();
        self.take_array(count)
    }
}
