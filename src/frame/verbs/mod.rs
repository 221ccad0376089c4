//! The verbs of a frame beside the basic ones in [`lazy`](super::lazy), and the expressions that go with them. All of them
//! only write a plan, with what SQL has: what spills there spills here.
//!
//! | file | verbs |
//! |---|---|
//! | [`names`] | rename, rename_with, drop, cast |
//! | [`nulls`] | fill_null, fill_forward, fill_backward, drop_nulls; forward_fill, backward_fill |
//! | [`rows`] | distinct_on, tail, slice, reverse, nlargest, nsmallest, with_row_index, lines |
//! | [`sample`] | sample |
//! | [`stack`] | concat, concat_by_name, hstack |
//! | [`join`], [`asof`] | join_using, join_exprs, cross_join; join_asof |
//! | [`explode`], [`unpivot`], [`pivot`] | each its own |
//! | [`times`], [`resample`] | group_by_time, interval; resample |
//! | [`summary`], [`matrix`] | agg, describe, value_counts, nunique, mode; corr, cov |
//! | [`shift`], [`running`], [`ranked`], [`rolling`], [`values`], [`when`] | expressions |
//!
//! A frame over files keeps their order, whatever the number of threads, and so do windows without an order: `shift`,
//! `diff` and `cum_sum` go by it. The order after an aggregate or a join is unspecified; give one with
//! [`over`](super::over) or sort.

mod asof;
mod columns;
mod explode;
mod join;
mod matrix;
mod names;
mod nulls;
mod pivot;
mod ranked;
mod resample;
mod rolling;
mod rows;
mod running;
mod sample;
mod shift;
mod stack;
mod summary;
mod times;
mod unpivot;
mod values;
mod when;

#[cfg(test)]
mod tests;

pub use asof::{Asof, Direction};
pub use nulls::{backward_fill, forward_fill};
pub use pivot::Pivot;
pub use ranked::{Rank, ranked};
pub use rolling::{Rolling, rolling, rolling_by};
pub use rows::Keep;
pub use running::{cum_count, cum_max, cum_min, cum_prod, cum_sum};
pub use sample::Sample;
pub use shift::{diff, pct_change, shift};
pub use stack::{concat, concat_by_name};
pub use times::{TimeWindows, interval};
pub use unpivot::Unpivot;
pub use values::{clip, is_in, replace_values};
pub use when::{When, when};
