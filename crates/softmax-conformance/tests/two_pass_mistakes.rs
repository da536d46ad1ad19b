//! Backends with one mistake each in their two passes. The cases of two passes must catch each.

use softmax_conformance::{Runner, Suite};
use softmax_core::ndarray::{Array1, ArrayView1};
use softmax_core::{
    ArrayName, Backend, ClassFacts, Descriptor, Error, Evaluation, Feature, GroupStatistics, Objective,
    Outputs, Problem, ProblemBuilder, Result, RowStatistics, SoftmaxBackend, Targets, TwoPass, Upstream,
};
use softmax_naive::Naive;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mistake {
    None,
    /// Label smoothing is spread over the shard's classes, as in Megatron's issue 737.
    SmoothsOverTheShard,
    /// The maximum of the first shard is used for all.
    OneMaximumForAll,
    /// The predicted class is an index within the shard.
    BestOfTheShard,
    /// If two shards have equal maxima, the later one wins.
    LaterOfEqualShards,
    /// Ω counts only the labels of one shard.
    TotalWeightOfTheShard,
    /// Each shard overwrites dX.
    OverwritesFeaturesGradient,
    /// The penalty includes only the weights of one shard.
    PenaltyOfTheShard,
    /// A fully masked shard has sums of NaN.
    MaskedShardIsNaN,
    /// One kind of coefficient is ignored, or has the opposite sign.
    IgnoresLosses,
    IgnoresEntropy,
    IgnoresLogSumExp,
    NegatesEntropy,
    /// Coefficients of losses are multiplied by the sample weights.
    WeighsLossesTwice,
    /// Coefficients of losses are divided by Ω.
    DividesLossesByTotalWeight,
    /// Ignored samples contribute gradients of their entropies.
    IgnoredSamplesHaveEntropy,
    /// Without targets, gradients of entropies are missing.
    NoTargetsHaveNoEntropy,
    /// A shard is evaluated as if it were the whole problem.
    EvaluatesShards,
    /// Statistics of one shard are accepted in place of those of all classes.
    TakesStatisticsOfAShard,
    SummarizesAShard,
    /// Coefficients of the wrong length are accepted.
    TakesCoefficientsOfAnyLength,
    /// dW and db are overwritten where they should be accumulated.
    Overwrites,
    /// Two passes exist, but are reported as unsupported.
    DeniesTwoPasses,
    /// A NaN among masked classes is treated as masked.
    MasksNaN,
    /// The backend promises that shards change no bit, which is false.
    PromisesBits,
    /// Each shard compares only with its own label scores, and counts at most one class above the label.
    RanksWithinTheShard,
    /// The best classes are indices within the shard.
    TopClassesOfTheShard,
    /// Log p of the best classes is normalized over these classes alone.
    LogProbAmongTheBest,
}

const MISTAKES: [Mistake; 27] = [
    Mistake::SmoothsOverTheShard,
    Mistake::OneMaximumForAll,
    Mistake::BestOfTheShard,
    Mistake::LaterOfEqualShards,
    Mistake::TotalWeightOfTheShard,
    Mistake::OverwritesFeaturesGradient,
    Mistake::PenaltyOfTheShard,
    Mistake::MaskedShardIsNaN,
    Mistake::IgnoresLosses,
    Mistake::IgnoresEntropy,
    Mistake::IgnoresLogSumExp,
    Mistake::NegatesEntropy,
    Mistake::WeighsLossesTwice,
    Mistake::DividesLossesByTotalWeight,
    Mistake::IgnoredSamplesHaveEntropy,
    Mistake::NoTargetsHaveNoEntropy,
    Mistake::EvaluatesShards,
    Mistake::TakesStatisticsOfAShard,
    Mistake::SummarizesAShard,
    Mistake::TakesCoefficientsOfAnyLength,
    Mistake::Overwrites,
    Mistake::DeniesTwoPasses,
    Mistake::MasksNaN,
    Mistake::PromisesBits,
    Mistake::RanksWithinTheShard,
    Mistake::TopClassesOfTheShard,
    Mistake::LogProbAmongTheBest,
];

/// Naive, with one mistake.
struct Wrong {
    mistake: Mistake,
    inner: Naive,
    /// The maxima of the first shard.
    first_maxima: Array1<f64>,
}

impl Wrong {
    fn new(mistake: Mistake) -> Self {
        Wrong { mistake, inner: Naive::new(), first_maxima: Array1::default(0) }
    }

    fn is(&self, mistake: Mistake) -> bool {
        self.mistake == mistake
    }

    /// Changes A and Σ a·(m − s) to values as if the shard's classes were all classes.
    fn smooth_over(&mut self, problem: &Problem<'_, f64>, group: &mut GroupStatistics<f64>) -> Result<()> {
        let epsilon = problem.objective().label_smoothing;
        let without = with_objective(problem, Objective { label_smoothing: 0.0, ..*problem.objective() })?;
        let unsmoothed = self.inner.forward(&without)?;
        let [unsmoothed] = unsmoothed.groups() else { unreachable!("naive has one group") };
        let times = problem.total_classes() as f64 / problem.n_classes() as f64;
        let smooth = |sums: &mut Array1<f64>, unsmoothed: &Array1<f64>| {
            sums.zip_mut_with(unsmoothed, |sum, unsmoothed| {
                let kept = (1.0 - epsilon) * unsmoothed;
                *sum = kept + (*sum - kept) * times;
            });
        };
        smooth(&mut group.mass, &unsmoothed.mass);
        smooth(&mut group.cross, &unsmoothed.cross);
        Ok(())
    }

    /// The coefficients as changed by the mistake.
    fn seen(
        &self,
        problem: &Problem<'_, f64>,
        statistics: &RowStatistics<f64>,
        upstream: &Upstream<'_, f64>,
    ) -> [Option<Array1<f64>>; 3] {
        let owned = |given: Option<ArrayView1<'_, f64>>| given.map(|given| given.to_owned());
        let [mut losses, mut entropy, mut log_sum_exp] =
            [upstream.losses, upstream.entropy, upstream.log_sum_exp].map(owned);
        match self.mistake {
            Mistake::IgnoresLosses => losses = None,
            Mistake::IgnoresEntropy => entropy = None,
            Mistake::IgnoresLogSumExp => log_sum_exp = None,
            Mistake::NegatesEntropy => entropy = entropy.map(|h| -h),
            Mistake::NoTargetsHaveNoEntropy if !problem.has_targets() => entropy = None,
            Mistake::WeighsLossesTwice => {
                losses = losses.map(|g| problem.sample_weights().map_or(g.clone(), |u| &g * &u));
            }
            Mistake::DividesLossesByTotalWeight => {
                losses = losses.map(|g| g / statistics.total_weight(problem));
            }
            _ => {}
        }
        [losses, entropy, log_sum_exp]
    }
}

/// The same problem with other options.
fn with_objective<'a>(problem: &Problem<'a, f64>, objective: Objective) -> Result<Problem<'a, f64>> {
    changed(problem).objective(objective).build()
}

fn changed<'a>(problem: &Problem<'a, f64>) -> ProblemBuilder<'a, f64> {
    Problem::builder(problem.features(), problem.weights(), *problem.targets())
        .bias(problem.bias())
        .class_weights(problem.class_weights())
        .sample_weights(problem.sample_weights())
        .objective(*problem.objective())
        .shard(problem.class_range().start, problem.total_classes())
}

impl Backend for Wrong {
    fn descriptor(&self) -> Descriptor {
        Backend::descriptor(&self.inner)
    }

    fn supports(&self, feature: Feature) -> bool {
        self.inner.supports(feature) && !(feature == Feature::TwoPasses && self.is(Mistake::DeniesTwoPasses))
    }
}

impl SoftmaxBackend<f64> for Wrong {
    fn evaluate(&mut self, problem: &Problem<'_, f64>, outputs: &mut Outputs<'_, f64>) -> Result<Evaluation> {
        if self.is(Mistake::EvaluatesShards) && problem.check_whole().is_err() {
            return Ok(Evaluation { loss: 0.0, total_weight: 0.0, correct: None });
        }
        self.inner.evaluate(problem, outputs)
    }

    fn two_pass(&mut self) -> Option<&mut dyn TwoPass<f64>> {
        Some(self)
    }
}

impl TwoPass<f64> for Wrong {
    fn forward(&mut self, problem: &Problem<'_, f64>) -> Result<RowStatistics<f64>> {
        let statistics = self.inner.forward(problem)?;
        let mut group = statistics.groups()[0].clone();
        let first = problem.class_range().start;
        if first == 0 {
            self.first_maxima = group.max.clone();
        }
        let mut owner = problem.clone();
        match self.mistake {
            Mistake::SmoothsOverTheShard => self.smooth_over(problem, &mut group)?,
            Mistake::OneMaximumForAll if group.max.len() == self.first_maxima.len() => {
                group.max.assign(&self.first_maxima);
            }
            Mistake::BestOfTheShard => group.best -= first,
            Mistake::LaterOfEqualShards if first > 0 => group.max.mapv_inplace(f64::next_up),
            Mistake::TotalWeightOfTheShard if first > 0 => {
                owner = changed(problem).targets(Targets::None).build()?;
            }
            Mistake::PenaltyOfTheShard if first > 0 => group.squared_norm = 0.0,
            Mistake::MasksNaN => {
                for i in (0..group.max.len()).filter(|&i| group.max[i] == f64::NEG_INFINITY) {
                    (group.rest[i], group.cross[i], group.spread[i]) = (0.0, 0.0, 0.0);
                }
            }
            Mistake::MaskedShardIsNaN => group.rest.zip_mut_with(&group.max, |rest, &max| {
                if max == f64::NEG_INFINITY {
                    *rest = f64::NAN;
                }
            }),
            _ => {}
        }
        Ok(RowStatistics::new(&owner, vec![group]))
    }

    fn summarize(
        &mut self,
        problem: &Problem<'_, f64>,
        statistics: &RowStatistics<f64>,
        outputs: &mut Outputs<'_, f64>,
    ) -> Result<Evaluation> {
        if self.is(Mistake::SummarizesAShard) && statistics.check(problem).is_err() {
            return Ok(Evaluation { loss: 0.0, total_weight: 0.0, correct: None });
        }
        self.inner.summarize(problem, statistics, outputs)
    }

    fn label_scores(&mut self, problem: &Problem<'_, f64>) -> Result<Array1<f64>> {
        self.inner.label_scores(problem)
    }

    fn class_facts(
        &mut self,
        problem: &Problem<'_, f64>,
        label_scores: ArrayView1<'_, f64>,
        top: usize,
    ) -> Result<ClassFacts<f64>> {
        let label_scores = match self.mistake {
            Mistake::RanksWithinTheShard => self.inner.label_scores(problem)?,
            _ => label_scores.to_owned(),
        };
        let mut facts = self.inner.class_facts(problem, label_scores.view(), top)?;
        match self.mistake {
            Mistake::RanksWithinTheShard => facts.above = facts.above.mapv(|above| above.min(1)),
            Mistake::TopClassesOfTheShard => facts.top_classes -= problem.class_range().start,
            _ => {}
        }
        Ok(facts)
    }

    fn summarize_classes(
        &mut self,
        problem: &Problem<'_, f64>,
        statistics: &RowStatistics<f64>,
        facts: &ClassFacts<f64>,
        outputs: &mut Outputs<'_, f64>,
    ) -> Result<()> {
        self.inner.summarize_classes(problem, statistics, facts, outputs)?;
        if self.is(Mistake::LogProbAmongTheBest)
            && let Some(log_prob) = &mut outputs.top_log_prob
        {
            for mut row in log_prob.rows_mut() {
                let sum = row.iter().map(|p: &f64| p.exp()).sum::<f64>().ln();
                row -= sum;
            }
        }
        Ok(())
    }

    fn backward(
        &mut self,
        problem: &Problem<'_, f64>,
        statistics: &RowStatistics<f64>,
        upstream: &Upstream<'_, f64>,
        outputs: &mut Outputs<'_, f64>,
    ) -> Result<()> {
        let is_taken = match self.check_backward(problem, statistics, upstream, outputs) {
            Err(Error::Classes { .. }) => self.is(Mistake::TakesStatisticsOfAShard),
            Err(Error::Shape { array: ArrayName::Upstream, .. }) => {
                self.is(Mistake::TakesCoefficientsOfAnyLength)
            }
            _ => false,
        };
        if is_taken {
            return Ok(());
        }
        if self.is(Mistake::OverwritesFeaturesGradient)
            && let Some(dx) = &mut outputs.features_gradient
        {
            dx.fill(0.0);
        }
        let [losses, entropy, log_sum_exp] = self.seen(problem, statistics, upstream);
        let seen = Upstream {
            losses: losses.as_ref().map(|a| a.view()),
            entropy: entropy.as_ref().map(|a| a.view()),
            log_sum_exp: log_sum_exp.as_ref().map(|a| a.view()),
        };
        outputs.accumulate &= !self.is(Mistake::Overwrites);
        self.inner.backward(problem, statistics, &seen, outputs)?;
        if self.is(Mistake::IgnoredSamplesHaveEntropy)
            && let Some(entropy) = entropy
        {
            let of_ignored = Array1::from_shape_fn(entropy.len(), |i| {
                if problem.has_labels() && !problem.counts(i) { entropy[i] } else { 0.0 }
            });
            let upstream = Upstream { entropy: Some(of_ignored.view()), ..Upstream::default() };
            let mut more = Outputs {
                weights_gradient: outputs.weights_gradient.as_mut().map(|dw| dw.view_mut()),
                bias_gradient: outputs.bias_gradient.as_mut().map(|db| db.view_mut()),
                accumulate: true,
                ..Outputs::default()
            };
            let untargeted = changed(problem).targets(Targets::None).build()?;
            self.inner.backward(&untargeted, statistics, &upstream, &mut more)?;
        }
        Ok(())
    }

    fn shard_multiple(&self) -> Option<usize> {
        // Naive has one sum of exponentials for each shard, so its bits depend on the shards.
        self.is(Mistake::PromisesBits).then_some(100)
    }
}

/// Whether a case of two passes, or of bits in shards, fails.
fn is_caught(mistake: Mistake) -> bool {
    let fails = |filter: &str| {
        let runner = Runner::new().filter(filter).fail_fast();
        !runner.run(Suite::<f64>::shared(), || Box::new(Wrong::new(mistake))).failures.is_empty()
    };
    fails("two-pass/") || fails("behaviour/shards")
}

#[test]
fn each_mistake_is_caught() {
    let missed: Vec<Mistake> = MISTAKES.into_iter().filter(|&mistake| !is_caught(mistake)).collect();
    assert!(missed.is_empty(), "{missed:?}");
}

#[test]
fn the_unbroken_backend_passes() {
    assert!(!is_caught(Mistake::None));
}
