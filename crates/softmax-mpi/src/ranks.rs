//! The processes that compute together, and what they send each other: bytes, in pieces that MPI can count.

use bytemuck::{Pod, cast_slice, cast_slice_mut};
use mpi::datatype::PartitionMut;
use mpi::topology::{Color, SimpleCommunicator};
use mpi::traits::*;
use softmax_core::{Element, Error, Result};
use std::cell::Cell;
use std::rc::Rc;

/// An element type that travels: `f32` and `f64`.
pub trait Wire: Element + Pod {}

impl<T: Element + Pod> Wire for T {}

/// Bytes of a message at most: MPI counts in 32 bits, and what is received is held beside what is sent.
pub(crate) const PIECE: usize = 8 << 20;

/// Processes that compute together: the ranks of a communicator, in their order.
#[derive(Clone)]
pub struct Ranks {
    comm: Rc<SimpleCommunicator>,
    traffic: Rc<Cell<Traffic>>,
}

/// What a rank has sent, counted as if each byte went to each receiver by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes.
    pub bytes: u64,
    /// Calls of MPI.
    pub calls: u64,
}

impl Ranks {
    /// All processes of the program.
    ///
    /// # Panics
    /// Before MPI is initialized.
    pub fn world() -> Self {
        Ranks::new(SimpleCommunicator::world())
    }

    /// Those of a communicator, which is used for nothing else.
    pub fn new(comm: SimpleCommunicator) -> Self {
        Ranks { comm: Rc::new(comm), traffic: Rc::default() }
    }

    /// Which of them this process is.
    pub fn rank(&self) -> usize {
        self.comm.rank() as usize
    }

    /// How many they are.
    pub fn size(&self) -> usize {
        self.comm.size() as usize
    }

    /// What this process has sent to these ranks, and to [parts](Self::part) of them.
    pub fn traffic(&self) -> Traffic {
        self.traffic.get()
    }

    /// Those that name the same group, in the order of their ranks; none for those that name none. Every rank calls this.
    #[must_use]
    pub fn part(&self, group: Option<usize>) -> Option<Self> {
        let color = group.map_or(Color::undefined(), |group| Color::with_value(group as i32));
        let comm = self.comm.split_by_color(color)?;
        Some(Ranks { comm: Rc::new(comm), traffic: Rc::clone(&self.traffic) })
    }

    fn count(&self, bytes: usize, receivers: usize) {
        let Traffic { bytes: before, calls } = self.traffic.get();
        self.traffic.set(Traffic { bytes: before + (bytes * receivers) as u64, calls: calls + 1 });
    }

    /// Some numbers of each rank.
    pub(crate) fn gather_words<const K: usize>(&self, words: [u64; K]) -> Vec<[u64; K]> {
        let mut all = vec![[0; K]; self.size()];
        self.count(8 * K, self.size() - 1);
        self.comm.all_gather_into(&words[..], all.as_flattened_mut());
        all
    }

    /// Some bytes of each rank, of which all together are not too many for one message.
    pub(crate) fn gather_bytes(&self, bytes: &[u8]) -> Gathered {
        let lengths: Vec<i32> =
            self.gather_words([bytes.len() as u64]).into_iter().map(|[length]| length as i32).collect();
        // The address of an empty vector is 1, and that is Open MPI's MPI_IN_PLACE.
        let sent = if bytes.is_empty() { &[0][..0] } else { bytes };
        let mut all = vec![0; 1 + lengths.iter().map(|&length| length as usize).sum::<usize>()];
        self.count(bytes.len(), self.size() - 1);
        let mut received = PartitionMut::new(&mut all[..], &lengths[..], starts(&lengths));
        self.comm.all_gather_varcount_into(sent, &mut received);
        Gathered { bytes: all, lengths }
    }

    /// The sums of all ranks' numbers, added in the order of the ranks, so that the same ranks give the same bits.
    ///
    /// ```text
    /// for each piece of the numbers
    ///     cut it in a part for each rank; send each rank its part          all to all
    ///     add what the ranks sent, in their order
    ///     send the sums to all                                             all gather
    /// ```
    pub(crate) fn sum<T: Wire>(&self, numbers: &mut [T]) {
        let ranks = self.size();
        if ranks == 1 {
            return;
        }
        let mut received = Vec::new();
        for piece in numbers.chunks_mut(PIECE / size_of::<T>()) {
            let ends = |rank: usize| rank * piece.len() / ranks;
            let parts: Vec<i32> = (0..ranks).map(|rank| bytes_of::<T>(ends(rank + 1) - ends(rank))).collect();
            let own = ends(self.rank())..ends(self.rank() + 1);
            let each = vec![bytes_of::<T>(own.len()); ranks];
            received.clear();
            received.resize(own.len() * ranks, T::zero());
            self.count(size_of_val(piece) / ranks, ranks - 1);
            self.comm.all_to_all_varcount_into(
                &mpi::datatype::Partition::new(cast_slice::<T, u8>(piece), &parts[..], starts(&parts)),
                &mut PartitionMut::new(cast_slice_mut::<T, u8>(&mut received), &each[..], starts(&each)),
            );
            let (sums, others) = received.split_at_mut(own.len());
            for part in others.chunks_exact(own.len().max(1)) {
                sums.iter_mut().zip(part).for_each(|(sum, &term)| *sum += term);
            }
            self.count(size_of_val(sums), ranks - 1);
            self.comm.all_gather_varcount_into(
                cast_slice::<T, u8>(sums),
                &mut PartitionMut::new(cast_slice_mut::<T, u8>(piece), &parts[..], starts(&parts)),
            );
        }
    }

    /// Numbers of one rank, to all.
    pub(crate) fn broadcast<A: Pod>(&self, root: usize, numbers: &mut [A]) {
        for piece in cast_slice_mut::<A, u8>(numbers).chunks_mut(PIECE) {
            let receivers = if self.rank() == root { self.size() - 1 } else { 0 };
            self.count(piece.len(), receivers);
            self.comm.process_at_rank(root as i32).broadcast_into(piece);
        }
    }

    /// Numbers to a rank, which [receives](Self::receive) as many.
    pub(crate) fn send<A: Pod>(&self, to: usize, numbers: &[A]) {
        for piece in cast_slice::<A, u8>(numbers).chunks(PIECE) {
            self.count(piece.len(), 1);
            self.comm.process_at_rank(to as i32).send(piece);
        }
    }

    /// Numbers from a rank.
    pub(crate) fn receive<A: Pod>(&self, from: usize, numbers: &mut [A]) {
        for piece in cast_slice_mut::<A, u8>(numbers).chunks_mut(PIECE) {
            self.comm.process_at_rank(from as i32).receive_into(piece);
        }
    }

    /// The first rank that failed, and what it says; `own` is what this one has to say, if it failed. Every rank calls this.
    pub fn first_failure(&self, own: Option<&str>) -> Option<(usize, String)> {
        let all = self.gather_words([u64::from(own.is_some())]);
        let first = all.iter().position(|&[failed]| failed != 0)?;
        let messages = self.gather_bytes(own.unwrap_or_default().as_bytes());
        Some((first, String::from_utf8_lossy(messages.of(first)).into_owned()))
    }

    /// What each rank has for the others, if none of them failed. Otherwise an error on all of them: on the ranks that failed
    /// their own, on the others the first one's.
    pub(crate) fn agree<const K: usize>(&self, name: &str, done: Result<[u64; K]>) -> Result<Vec<[u64; K]>> {
        let own = done.as_ref().err().map(ToString::to_string);
        match (self.first_failure(own.as_deref()), done) {
            (_, Err(own)) => Err(own),
            (None, Ok(words)) => Ok(self.gather_words(words)),
            (Some((first, message)), Ok(_)) => {
                let message = format!("rank {first}: {message}");
                Err(Error::Backend { backend: name.to_owned(), message, source: None })
            }
        }
    }
}

/// Bytes of each rank.
pub(crate) struct Gathered {
    bytes: Vec<u8>,
    lengths: Vec<i32>,
}

impl Gathered {
    /// Those of a rank.
    pub(crate) fn of(&self, rank: usize) -> &[u8] {
        let start = starts(&self.lengths)[rank] as usize;
        &self.bytes[start..][..self.lengths[rank] as usize]
    }

    /// Those of each rank, in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.lengths.len()).map(|rank| self.of(rank))
    }
}

/// The bytes of so many numbers.
fn bytes_of<T>(numbers: usize) -> i32 {
    // At most a piece.
    (numbers * size_of::<T>()) as i32
}

/// Where each of some parts begins.
fn starts(lengths: &[i32]) -> Vec<i32> {
    let next = |end: &mut i32, &length: &i32| Some(std::mem::replace(end, *end + length));
    lengths.iter().scan(0, next).collect()
}
