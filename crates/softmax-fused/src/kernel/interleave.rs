//! Interleaves four rows into columns of four: the inner step of packing.
#![allow(unsafe_code)]

/// Writes `[a[k], b[k], c[k], d[k]]` to `to[k * pitch..]` for each k.
///
/// # Panics
/// If a row is shorter than the first, or `to` is too short.
#[inline(always)]
pub(crate) fn interleave_f32(rows: [&[f32]; 4], to: &mut [f32], pitch: usize) {
    let length = rows[0].len();
    assert!(rows.iter().all(|row| row.len() == length));
    assert!(length == 0 || to.len() >= (length - 1) * pitch + 4);
    #[cfg_attr(not(target_arch = "x86_64"), expect(unused_mut, reason = "there are squares for x86 alone"))]
    let mut done = 0;
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_mm_loadu_ps, _mm_movehl_ps, _mm_movelh_ps, _mm_storeu_ps};
        use std::arch::x86_64::{_mm_unpackhi_ps, _mm_unpacklo_ps};
        while done + 4 <= length {
            // SAFETY: the four numbers from `done` on are inside each row and inside `to` at each of the four places,
            // as asserted above. SSE is part of every x86-64 processor.
            unsafe {
                let [a, b, c, d] = rows.map(|row| _mm_loadu_ps(row.as_ptr().add(done)));
                let (ab, cd) = (_mm_unpacklo_ps(a, b), _mm_unpacklo_ps(c, d));
                let (high_ab, high_cd) = (_mm_unpackhi_ps(a, b), _mm_unpackhi_ps(c, d));
                let columns = [
                    _mm_movelh_ps(ab, cd),
                    _mm_movehl_ps(cd, ab),
                    _mm_movelh_ps(high_ab, high_cd),
                    _mm_movehl_ps(high_cd, high_ab),
                ];
                for (k, column) in columns.into_iter().enumerate() {
                    _mm_storeu_ps(to.as_mut_ptr().add((done + k) * pitch), column);
                }
            }
            done += 4;
        }
    }
    for k in done..length {
        to[k * pitch..][..4].copy_from_slice(&rows.map(|row| row[k]));
    }
}

/// Like [`interleave_f32`], for f64.
///
/// # Panics
/// See [`interleave_f32`].
#[inline(always)]
pub(crate) fn interleave_f64(rows: [&[f64]; 4], to: &mut [f64], pitch: usize) {
    let length = rows[0].len();
    assert!(rows.iter().all(|row| row.len() == length));
    assert!(length == 0 || to.len() >= (length - 1) * pitch + 4);
    #[cfg_attr(not(target_arch = "x86_64"), expect(unused_mut, reason = "there are squares for x86 alone"))]
    let mut done = 0;
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_mm_loadu_pd, _mm_storeu_pd, _mm_unpackhi_pd, _mm_unpacklo_pd};
        while done + 2 <= length {
            // SAFETY: the two numbers from `done` on are inside each row, and four are inside `to` at both places, as
            // asserted above. SSE2 is part of every x86-64 processor.
            unsafe {
                let [a, b, c, d] = rows.map(|row| _mm_loadu_pd(row.as_ptr().add(done)));
                let at = to.as_mut_ptr().add(done * pitch);
                _mm_storeu_pd(at, _mm_unpacklo_pd(a, b));
                _mm_storeu_pd(at.add(2), _mm_unpacklo_pd(c, d));
                let at = at.add(pitch);
                _mm_storeu_pd(at, _mm_unpackhi_pd(a, b));
                _mm_storeu_pd(at.add(2), _mm_unpackhi_pd(c, d));
            }
            done += 2;
        }
    }
    for k in done..length {
        to[k * pitch..][..4].copy_from_slice(&rows.map(|row| row[k]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_columns() {
        for length in 0..11 {
            for pitch in [4, 12, 32] {
                let row = |r: usize| (0..length).map(|k| (r * 100 + k) as f32).collect::<Vec<_>>();
                let rows: Vec<_> = (0..4).map(row).collect();
                let size = length * pitch;
                let mut single = vec![-1.0; size];
                interleave_f32(std::array::from_fn(|r| rows[r].as_slice()), &mut single, pitch);
                let rows: Vec<Vec<f64>> =
                    rows.iter().map(|row| row.iter().map(|&x| f64::from(x)).collect()).collect();
                let mut double = vec![-1.0; size];
                interleave_f64(std::array::from_fn(|r| rows[r].as_slice()), &mut double, pitch);
                for at in 0..size {
                    let (k, r) = (at / pitch, at % pitch);
                    let expected = if r < 4 { (r * 100 + k) as f64 } else { -1.0 };
                    assert_eq!(
                        (f64::from(single[at]), double[at]),
                        (expected, expected),
                        "{length} {pitch} {at}"
                    );
                }
            }
        }
    }
}
