//! How users say along which axes a transform goes, over how many elements, and how it is scaled.

use partita_graph::{Code, Failure};
use serde::{Deserialize, Serialize};

use crate::array::meta::{Meta, axis_of};

/// Which of a transform and its inverse is divided by the number of elements, so that both together change nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum FftNorm {
    /// The inverse.
    #[default]
    Backward,
    /// Both, by its root.
    Ortho,
    /// The transform.
    Forward,
}

impl FftNorm {
    /// What a transform over `n` elements is multiplied by.
    pub(super) fn factor(self, forward: bool, n: usize) -> f64 {
        match (self, forward) {
            (FftNorm::Ortho, _) => 1.0 / (n as f64).sqrt(),
            (FftNorm::Backward, false) | (FftNorm::Forward, true) => 1.0 / n as f64,
            (FftNorm::Backward, true) | (FftNorm::Forward, false) => 1.0,
        }
    }

    /// As the transform in the other direction is scaled.
    pub(super) fn swapped(self) -> Self {
        match self {
            FftNorm::Backward => FftNorm::Forward,
            FftNorm::Ortho => FftNorm::Ortho,
            FftNorm::Forward => FftNorm::Backward,
        }
    }
}

/// How an array is transformed: one axis (`-1`), several (`[0, 1]`), or those that the call is for ([`Fft::default`]): the last one, the
/// last two, or all.
///
/// ```
/// use partita::{Fft, FftNorm, prelude::*};
/// let x = DArray::<f64>::ones([4, 6], 2);
/// assert_eq!(x.fft(0).shape()?, [4, 6]);
/// assert_eq!(x.fft(Fft::along(0).len(8).norm(FftNorm::Ortho)).shape()?, [8, 6]);
/// assert_eq!(x.rfftn(Fft::default()).shape()?, [4, 4]);
/// assert_eq!(x.fftn(Fft::default().lens([3, 5])).shape()?, [3, 5]);
/// # Ok::<(), partita::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Fft {
    axes: Option<Vec<isize>>,
    lens: Option<Vec<usize>>,
    norm: FftNorm,
}

/// The axes that a call goes along when none are named.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Usual {
    Last,
    LastTwo,
    All,
}

impl Fft {
    /// Along these axes; negative ones count from the back. An axis that is named twice is transformed twice.
    pub fn along(axes: impl Into<Fft>) -> Self {
        axes.into()
    }

    /// Over so many elements along the only axis: of a longer axis the first, and behind a shorter one zeros. For calls that give real
    /// numbers (`irfft`, `hfft`) it is the number of elements of the result. By default all there are.
    #[doc(alias = "n")]
    pub fn len(self, len: usize) -> Self {
        self.lens([len])
    }

    /// The same for several axes, in their order. Without named axes these are the last ones.
    #[doc(alias = "s")]
    pub fn lens(mut self, lens: impl Into<Vec<usize>>) -> Self {
        self.lens = Some(lens.into());
        self
    }

    /// How the result is scaled; by default [`FftNorm::Backward`].
    pub fn norm(mut self, norm: FftNorm) -> Self {
        self.norm = norm;
        self
    }

    pub(super) fn scaling(&self) -> FftNorm {
        self.norm
    }

    /// The axes of an array in the order in which they were named, and over how many elements each is transformed, where that was said.
    pub(super) fn axes_of(&self, meta: &Meta, usual: Usual) -> Result<Vec<(usize, Option<usize>)>, Failure> {
        let last = |count: usize| (0..count as isize).map(move |at| at - count as isize).collect::<Vec<isize>>();
        let named = match (&self.axes, &self.lens, usual) {
            (Some(axes), ..) => axes.clone(),
            (None, _, Usual::Last) => last(1),
            (None, _, Usual::LastTwo) => last(2),
            (None, Some(lens), Usual::All) => last(lens.len()),
            (None, None, Usual::All) => last(meta.ndim()),
        };
        let wrong = match (usual, named.len()) {
            (Usual::Last, 1) | (Usual::LastTwo, 2) => None,
            (Usual::Last, count) => Some(format!("{count} axes for a transform along one; several at once: .fftn([0, 1])")),
            (Usual::LastTwo, count) => Some(format!("{count} axes for a transform along two; any number of them: .fftn([0, 1])")),
            (Usual::All, 0) => Some("a transform along no axes".into()),
            (Usual::All, _) => None,
        };
        if let Some(what) = wrong {
            return Err(Failure::new(Code::InvalidOption, what));
        }
        let axes = named.iter().map(|axis| axis_of(*axis, meta.ndim())).collect::<Result<Vec<usize>, Failure>>()?;
        let Some(lens) = &self.lens else { return Ok(axes.into_iter().map(|axis| (axis, None)).collect()) };
        if lens.len() != axes.len() {
            let what = format!("{} lengths for a transform along {} axes", lens.len(), axes.len());
            return Err(Failure::new(Code::InvalidOption, what).help("one length for each axis, in the order of the axes"));
        }
        Ok(axes.into_iter().zip(lens.iter().map(|len| Some(*len))).collect())
    }
}

impl From<FftNorm> for Fft {
    fn from(norm: FftNorm) -> Self {
        Self { norm, ..Self::default() }
    }
}

impl From<Vec<isize>> for Fft {
    fn from(axes: Vec<isize>) -> Self {
        Self { axes: Some(axes), ..Self::default() }
    }
}

impl From<isize> for Fft {
    fn from(axis: isize) -> Self {
        vec![axis].into()
    }
}

impl From<i32> for Fft {
    fn from(axis: i32) -> Self {
        vec![axis as isize].into()
    }
}

impl From<usize> for Fft {
    fn from(axis: usize) -> Self {
        vec![axis as isize].into()
    }
}

impl<const N: usize> From<[i32; N]> for Fft {
    fn from(axes: [i32; N]) -> Self {
        axes.into_iter().map(|axis| axis as isize).collect::<Vec<_>>().into()
    }
}

impl<const N: usize> From<[isize; N]> for Fft {
    fn from(axes: [isize; N]) -> Self {
        axes.to_vec().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::element::DType;
    use crate::array::meta::Cuts;

    fn axes(how: impl Into<Fft>, usual: Usual) -> Result<Vec<(usize, Option<usize>)>, Failure> {
        how.into().axes_of(&Meta { dtype: DType::F64, cuts: vec![Cuts::whole(4); 3] }, usual)
    }

    #[test]
    fn axes_are_those_of_the_call_unless_they_are_named() {
        let found = |how: Fft, usual| axes(how, usual).expect("they exist");
        assert_eq!(found(Fft::default(), Usual::Last), [(2, None)]);
        assert_eq!(found(Fft::default(), Usual::LastTwo), [(1, None), (2, None)]);
        assert_eq!(found(Fft::default(), Usual::All), [(0, None), (1, None), (2, None)]);
        assert_eq!(found(Fft::default().lens([5, 6]), Usual::All), [(1, Some(5)), (2, Some(6))]);
        assert_eq!(found(Fft::along([-1, 0]).lens([5, 6]), Usual::All), [(2, Some(5)), (0, Some(6))]);
        assert_eq!(found(Fft::along([1, 1]), Usual::LastTwo), [(1, None), (1, None)]);
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let code = |how: Fft, usual| axes(how, usual).expect_err("misfit").code;
        assert_eq!(code(Fft::along(3), Usual::Last), Code::AxisOutOfRange);
        assert_eq!(code(Fft::along([0, 1]), Usual::Last), Code::InvalidOption);
        assert_eq!(code(Fft::along(0), Usual::LastTwo), Code::InvalidOption);
        assert_eq!(code(Fft::along(Vec::<isize>::new()), Usual::All), Code::InvalidOption);
        assert_eq!(code(Fft::along([0, 1]).len(3), Usual::All), Code::InvalidOption);
        assert_eq!(code(Fft::default().lens([1, 2, 3, 4]), Usual::All), Code::AxisOutOfRange);
    }

    #[test]
    fn there_and_back_is_scaled_once() {
        for norm in [FftNorm::Backward, FftNorm::Ortho, FftNorm::Forward] {
            assert_eq!(norm.factor(true, 16) * norm.factor(false, 16), 1.0 / 16.0);
            assert_eq!(norm.factor(true, 9), norm.swapped().factor(false, 9));
        }
    }
}
