use crate::error::{Error, Result};
use crate::names::names;
use crate::parts::OptionName;

/// The options of the loss. Building a problem checks their ranges; κ and τ must also be normal numbers of the element
/// type, and λ and ζ finite in it.
///
/// The default is the plain mean of −log p of the labels.
///
/// ```
/// use softmax_core::{Objective, Reduction};
///
/// let objective = Objective { reduction: Reduction::Sum, z_loss: 1e-4, ..Objective::default() };
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Objective {
    /// Mean or sum: the divisor Ω of formula (7).
    pub reduction: Reduction,
    /// ε in \[0, 1\]: the share of the target mass that is spread evenly over the classes. Default 0.
    pub label_smoothing: f64,
    /// The ignored label. Samples with this label add nothing, whatever their features contain. It need not be a class;
    /// PyTorch uses −100. By default no label is ignored.
    pub ignore_index: Option<i64>,
    /// λ ≥ 0: adds (λ/2)·‖W‖² to the loss. Default 0.
    pub l2: f64,
    /// ζ ≥ 0: adds ζ·lse² to each sample's loss. Default 0.
    pub z_loss: f64,
    /// κ > 0: scores become κ·tanh(raw/κ). By default there is no softcap.
    #[doc(alias = "logit_softcap")]
    pub softcap: Option<f64>,
    /// τ > 0: scores are divided by it. Default 1.
    pub temperature: f64,
}

impl Default for Objective {
    fn default() -> Self {
        Objective {
            reduction: Reduction::Mean,
            label_smoothing: 0.0,
            ignore_index: None,
            l2: 0.0,
            z_loss: 0.0,
            softcap: None,
            temperature: 1.0,
        }
    }
}

/// How sample losses are reduced to one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub enum Reduction {
    /// The weighted mean: divided by the total weight Ω.
    #[default]
    Mean,
    /// The sum: Ω = 1.
    Sum,
}

names!(Reduction, "reduction", Mean => "mean", Sum => "sum");

impl Objective {
    /// Checks each option's range.
    ///
    /// # Errors
    /// [`Error::Option`] names the first option that is out of its range.
    pub fn check(&self) -> Result<()> {
        let require = |option, value: f64, holds: bool, expected| {
            if holds { Ok(()) } else { Err(Error::Option { option, expected, found: value }) }
        };
        let smoothing = self.label_smoothing;
        require(
            OptionName::LabelSmoothing,
            smoothing,
            (0.0..=1.0).contains(&smoothing),
            "a number from 0 to 1",
        )?;
        let non_negative = |value: f64| value.is_finite() && value >= 0.0;
        require(OptionName::L2, self.l2, non_negative(self.l2), "a finite number, at least 0")?;
        require(OptionName::ZLoss, self.z_loss, non_negative(self.z_loss), "a finite number, at least 0")?;
        let positive = |value: f64| value.is_finite() && value > 0.0;
        if let Some(softcap) = self.softcap {
            require(OptionName::Softcap, softcap, positive(softcap), "a finite number above 0")?;
        }
        require(
            OptionName::Temperature,
            self.temperature,
            positive(self.temperature),
            "a finite number above 0",
        )
    }
}
