//! The processes that compute together, and their communication: bytes, in pieces whose length MPI can count.

use bytemuck::{Pod, cast_slice, cast_slice_mut};
use mpi::datatype::PartitionMut;
use mpi::topology::{Color, SimpleCommunicator};
use mpi::traits::*;
use softmax_core::{Element, Error, Result};
use std::cell::Cell;
use std::rc::Rc;

/// An element type that can be sent between ranks: `f32` or `f64`.
pub trait Wire: Element + Pod {}

impl<T: Element + Pod> Wire for T {}

/// The most bytes in a message. MPI counts in 32 bits, and a rank holds the received bytes beside the sent ones.
pub(crate) const PIECE: usize = 8 << 20;

/// Processes that compute together: the ranks of a communicator, in their order.
#[derive(Clone)]
pub struct Ranks {
    comm: Rc<SimpleCommunicator>,
    traffic: Rc<Cell<Traffic>>,
}

/// The traffic that a rank has sent, counted as if each byte were sent to each receiver separately.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// The number of bytes.
    pub bytes: u64,
    /// The number of MPI calls.
    pub calls: u64,
}

impl Ranks {
    /// All processes of the program.
    ///
    /// # Panics
    /// If MPI is not initialized.
    pub fn world() -> Self {
        Ranks::new(SimpleCommunicator::world())
    }

    /// The processes of a communicator, which must not be used for anything else.
    pub fn new(comm: SimpleCommunicator) -> Self {
        Ranks { comm: Rc::new(comm), traffic: Rc::default() }
    }

    /// The rank of this process, from 0.
    pub fn rank(&self) -> usize {
        self.comm.rank() as usize
    }

    /// The number of ranks.
    pub fn size(&self) -> usize {
        self.comm.size() as usize
    }

    /// The traffic that this process has sent to these ranks and to [parts](Self::part) of them.
    pub fn traffic(&self) -> Traffic {
        self.traffic.get()
    }

    /// The ranks that pass the same group, in rank order; `None` for a rank that passes `None`. Every rank calls this.
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

    /// Gathers `K` words from each rank, on all ranks.
    pub(crate) fn gather_words<const K: usize>(&self, words: [u64; K]) -> Vec<[u64; K]> {
        let mut all = vec![[0; K]; self.size()];
        self.count(8 * K, self.size() - 1);
        self.comm.all_gather_into(&words[..], all.as_flattened_mut());
        all
    }

    /// Gathers bytes from each rank, on all ranks. All bytes together must fit one message.
    pub(crate) fn gather_bytes(&self, bytes: &[u8]) -> Gathered {
        let lengths: Vec<i32> =
            self.gather_words([bytes.len() as u64]).into_iter().map(|[length]| length as i32).collect();
        // The pointer of an empty vector is 1, which Open MPI takes for MPI_IN_PLACE.
        let sent = if bytes.is_empty() { &[0][..0] } else { bytes };
        let mut all = vec![0; 1 + lengths.iter().map(|&length| length as usize).sum::<usize>()];
        self.count(bytes.len(), self.size() - 1);
        let mut received = PartitionMut::new(&mut all[..], &lengths[..], starts(&lengths));
        self.comm.all_gather_varcount_into(sent, &mut received);
        Gathered { bytes: all, lengths }
    }

    /// Replaces the numbers by their sums over all ranks, added in rank order, so that the same ranks give the same
    /// bits.
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

    /// Sends the numbers of the rank `root` to all ranks.
    pub(crate) fn broadcast<A: Pod>(&self, root: usize, numbers: &mut [A]) {
        for piece in cast_slice_mut::<A, u8>(numbers).chunks_mut(PIECE) {
            let receivers = if self.rank() == root { self.size() - 1 } else { 0 };
            self.count(piece.len(), receivers);
            self.comm.process_at_rank(root as i32).broadcast_into(piece);
        }
    }

    /// Sends numbers to a rank, which must [receive](Self::receive) the same count.
    pub(crate) fn send<A: Pod>(&self, to: usize, numbers: &[A]) {
        for piece in cast_slice::<A, u8>(numbers).chunks(PIECE) {
            self.count(piece.len(), 1);
            self.comm.process_at_rank(to as i32).send(piece);
        }
    }

    /// Receives numbers from a rank.
    pub(crate) fn receive<A: Pod>(&self, from: usize, numbers: &mut [A]) {
        for piece in cast_slice_mut::<A, u8>(numbers).chunks_mut(PIECE) {
            self.comm.process_at_rank(from as i32).receive_into(piece);
        }
    }

    /// The first rank that failed, and its message. `own` is the message of this rank, if it failed. Every rank calls
    /// this.
    pub fn first_failure(&self, own: Option<&str>) -> Option<(usize, String)> {
        let all = self.gather_words([u64::from(own.is_some())]);
        let first = all.iter().position(|&[failed]| failed != 0)?;
        let messages = self.gather_bytes(own.unwrap_or_default().as_bytes());
        Some((first, String::from_utf8_lossy(messages.of(first)).into_owned()))
    }

    /// Gathers the words of each rank if no rank failed. Otherwise returns an error on all ranks: on a failed rank
    /// its own, on the others that of the first failed rank.
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

/// The bytes of each rank.
pub(crate) struct Gathered {
    bytes: Vec<u8>,
    lengths: Vec<i32>,
}

impl Gathered {
    /// The bytes of one rank.
    pub(crate) fn of(&self, rank: usize) -> &[u8] {
        let start = starts(&self.lengths)[rank] as usize;
        &self.bytes[start..][..self.lengths[rank] as usize]
    }

    /// The bytes of each rank, in rank order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.lengths.len()).map(|rank| self.of(rank))
    }
}

/// The size of `numbers` numbers in bytes.
fn bytes_of<T>(numbers: usize) -> i32 {
    // The size is at most `PIECE`, so it fits.
    (numbers * size_of::<T>()) as i32
}

/// The start of each part, for consecutive parts of these lengths.
fn starts(lengths: &[i32]) -> Vec<i32> {
    let next = |end: &mut i32, &length: &i32| Some(std::mem::replace(end, *end + length));
    lengths.iter().scan(0, next).collect()
}
