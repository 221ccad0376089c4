//! How each aggregate function is computed: a row of one table for each name.
//!
//! 1. `Plain`: a state of fixed width, or one string of bytes (see `ops::aggregate`). With DISTINCT, over the different
//!    values.
//! 2. `First`, `By`: the value of the row that comes first by some order, also a state.
//! 3. `Mode`, `Entropy`: of the different values and how often each is there.
//! 4. `Quantile`: of all values of a group, by selection.
//! 5. All others: the rows of a group in order, folded (see `ops::aggregate::ordered`), in the end by an accumulator of
//!    DataFusion's.

use crate::ops::aggregate::{Function, Regression};

/// How a function is computed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Way {
    /// By a state.
    Plain(Function),
    /// As `Plain` over the different values, exactly, though an approximation was asked for.
    Different(Function),
    /// The first value, or the last.
    First {
        last: bool,
        nulls: bool,
    },
    /// The value of the first argument where the second is smallest, or largest.
    By {
        largest: bool,
        nulls: bool,
    },
    /// The value that is there most often.
    Mode,
    /// The entropy of the distribution of values.
    Entropy,
    /// A quantile.
    Quantile(Kind),
    /// A list of all values.
    List,
    /// A text of all texts.
    Join,
    /// The n-th value.
    Nth,
    /// Counts of values, or those with the largest counts.
    Histogram,
    Top,
    /// The median absolute deviation.
    Deviation,
    /// DataFusion's accumulator.
    Accumulate,
}

/// Which quantile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Median,
    Continuous,
    Discrete,
}

/// The way of DataFusion's or our name, with so many arguments.
pub(super) fn way(name: &str, arguments: usize) -> Way {
    use Function as F;
    match name {
        "count" => Way::Plain(F::Count),
        "sum" | "fsum" | "kahan_sum" | "sumkahan" | "count_if" | "countif" => Way::Plain(F::Sum),
        "avg" | "favg" => Way::Plain(F::Avg),
        "min" | "max" if arguments > 1 => Way::List,
        "min" => Way::Plain(F::Min),
        "max" => Way::Plain(F::Max),
        "var" | "var_samp" => Way::Plain(F::Variance { sample: true }),
        "var_pop" => Way::Plain(F::Variance { sample: false }),
        "stddev" | "stddev_samp" => Way::Plain(F::Stddev { sample: true }),
        "stddev_pop" => Way::Plain(F::Stddev { sample: false }),
        "covar_samp" | "covar" => Way::Plain(F::Covariance { sample: true }),
        "covar_pop" => Way::Plain(F::Covariance { sample: false }),
        "corr" => Way::Plain(F::Corr),
        "bool_and" => Way::Plain(F::BoolAnd),
        "bool_or" => Way::Plain(F::BoolOr),
        "bit_and" => Way::Plain(F::BitAnd),
        "bit_or" => Way::Plain(F::BitOr),
        "bit_xor" => Way::Plain(F::BitXor),
        "product" => Way::Plain(F::Product),
        "geomean" | "geometric_mean" => Way::Plain(F::GeometricMean),
        "kurtosis" => Way::Plain(F::Kurtosis { sample: true }),
        "kurtosis_pop" => Way::Plain(F::Kurtosis { sample: false }),
        "skewness" => Way::Plain(F::Skewness),
        "sem" => Way::Plain(F::StandardError),
        "approx_count_distinct" | "approx_distinct" => Way::Different(F::Count),
        "first_value" => Way::First { last: false, nulls: true },
        "last_value" => Way::First { last: true, nulls: true },
        "any_value" => Way::First { last: false, nulls: false },
        "arg_min" | "argmin" | "min_by" | "arg_max" | "argmax" | "max_by" if arguments > 2 => Way::List,
        "arg_min" | "argmin" | "min_by" => Way::By { largest: false, nulls: false },
        "arg_max" | "argmax" | "max_by" => Way::By { largest: true, nulls: false },
        "arg_min_null" => Way::By { largest: false, nulls: true },
        "arg_max_null" => Way::By { largest: true, nulls: true },
        "mode" => Way::Mode,
        "entropy" => Way::Entropy,
        "median" | "approx_median" => Way::Quantile(Kind::Median),
        "quantile_cont" | "percentile_cont" | "approx_quantile" | "approx_percentile_cont" => {
            Way::Quantile(Kind::Continuous)
        }
        "quantile_disc" | "quantile" | "percentile_disc" => Way::Quantile(Kind::Discrete),
        "array_agg" => Way::List,
        "string_agg" | "group_concat" | "listagg" => Way::Join,
        "nth_value" => Way::Nth,
        "histogram" => Way::Histogram,
        "approx_top_k" => Way::Top,
        "mad" => Way::Deviation,
        _ => regression(name).map_or(Way::Accumulate, |r| Way::Plain(F::Regression(r))),
    }
}

fn regression(name: &str) -> Option<Regression> {
    Some(match name {
        "regr_count" => Regression::Count,
        "regr_avgx" => Regression::AvgX,
        "regr_avgy" => Regression::AvgY,
        "regr_sxx" => Regression::Sxx,
        "regr_syy" => Regression::Syy,
        "regr_sxy" => Regression::Sxy,
        "regr_slope" => Regression::Slope,
        "regr_intercept" => Regression::Intercept,
        "regr_r2" => Regression::R2,
        _ => return None,
    })
}
