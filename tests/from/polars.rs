//! Polars' verbs beside ours.

use super::{Pair, Table};
use partita::frame::concat;
use partita::prelude::*;

pub fn sections() -> Vec<Table> {
    vec![
        (
            "Columns",
            pairs! { (trips, cities, lists, session)
                r#"trips.select("city", pl.col("km") * 2)"# => trips.select([col("city"), col("km") * lit(2)])?;
                r#"trips.select(pl.col("km").alias("distance"))"# => trips.select([col("km").alias("distance")])?;
                r#"trips.with_columns(double=pl.col("km") * 2)"# => trips.with_columns([(col("km") * lit(2)).alias("double")])?;
                r#"trips.rename({"km": "distance"})"# => trips.rename(&[("km", "distance")])?;
                r#"trips.drop("fare", "day")"# => trips.drop(&["fare", "day"])?;
                r#"trips.cast({"km": pl.Float64})"# => trips.cast(&[("km", arrow::datatypes::DataType::Float64)])?;
                r#"trips.with_row_index("row")"# => trips.with_row_index("row")?;
                r#"trips.select(pl.when(pl.col("km") > 2).then(pl.lit("far")).otherwise(pl.lit("near")))"#
                    => trips.select([when(col("km").gt(lit(2)), lit("far")).otherwise(lit("near"))])?;
                r#"trips.select(pl.col("city").replace({"Bern": "Berne"}))"#
                    => trips.select([replace_values(col("city"), [("Bern", "Berne")])])?;
                r#"trips.select(pl.col("km").clip(3, 4))"# => trips.select([clip(col("km"), Some(lit(3)), Some(lit(4)))])?;
                r#"trips.select(pl.col("city").str.to_uppercase())"# => trips.select([upper(col("city"))])?;
                r#"trips.select(pl.col("day").dt.strftime("%d.%m."))"#
                    => trips.select([session.function("strftime", [col("day"), lit("%d.%m.")])?])?;
            },
        ),
        (
            "Rows",
            pairs! { (trips, cities, lists, session)
                r#"trips.filter(pl.col("km") > 2)"# => trips.filter(col("km").gt(lit(2)))?;
                r#"trips.filter(pl.col("km").is_in([2, 3]))"# => trips.filter(is_in(col("km"), [2, 3]))?;
                r#"trips.filter(pl.col("km").is_between(2, 3))"# => trips.filter(col("km").between(lit(2), lit(3)))?;
                r#"trips.filter(pl.col("km") == pl.col("km").max().over("city"))"#
                    => trips.filter(col("km").eq(over(max(col("km")), [col("city")], [])?))?;
                r#"trips.head(2)"# => trips.limit(0, 2)?;
                r#"trips.tail(2)"# => trips.tail(2)?;
                r#"trips.slice(-3, 2)"# => trips.slice(-3, 2)?;
                r#"trips.reverse()"# => trips.reverse()?;
                r#"trips.sort("fare", descending=True, nulls_last=True)"# => trips.sort([col("fare").sort(false, false)])?;
                r#"trips.top_k(2, by="fare")"# => trips.nlargest(2, &["fare"])?;
                r#"trips.bottom_k(2, by="fare")"# => trips.nsmallest(2, &["fare"])?;
                r#"trips.select("city").unique()"# => trips.columns(&["city"])?.distinct()?;
                r#"trips.unique("city", keep="first")"# => trips.distinct_on(&["city"], Keep::First)?;
                r#"trips.unique("km", keep="none")"# => trips.distinct_on(&["km"], Keep::None)?;
                r#"trips.sample(2, seed=1)"# => trips.sample(Sample::Rows(2), Some(1))?, "other rows by chance; ours stay in order";
                r#"trips.sample(fraction=0.4, seed=1)"# => trips.sample(Sample::Fraction(0.4), Some(1))?,
                    "each row with that chance: the number of rows varies";
            },
        ),
        (
            "Nulls",
            pairs! { (trips, cities, lists, session)
                r#"trips.drop_nulls("km")"# => trips.drop_nulls(&["km"])?;
                r#"trips.drop_nulls()"# => trips.drop_nulls(&[])?;
                r#"trips.fill_null(0)"# => trips.fill_null(0)?;
                r#"trips.fill_null(strategy="forward")"# => trips.fill_forward(&[], None)?;
                r#"trips.fill_null(strategy="backward", limit=1)"# => trips.fill_backward(&[], Some(1))?;
                r#"trips.select(pl.col("km").forward_fill().over("city"))"#
                    => trips.select([over(forward_fill(col("km"), None), [col("city")], [])?])?, "rows come by city, not as in the file";
            },
        ),
        (
            "Groups",
            pairs! { (trips, cities, lists, session)
                r#"trips.group_by("city").agg(pl.col("km").sum(), pl.col("fare").mean())"#
                    => trips.group_by([col("city")]).agg([sum(col("km")), avg(col("fare"))])?;
                r#"trips.select(pl.col("km").sum(), pl.col("fare").max())"# => trips.agg([sum(col("km")), max(col("fare"))])?;
                r#"trips.select(pl.col("km").quantile(0.25, "linear"), m=pl.col("km").median())"#
                    => trips.agg([quantile(col("km"), 0.25), median(col("km"))])?;
                r#"trips.select(pl.col("km").n_unique())"# => trips.agg([count_distinct(col("km"))])?, "nulls do not count";
                r#"trips.select(pl.col("km").mode())"# => trips.agg([mode(col("km"))])?, "one of several, the first";
                r#"trips.select(pl.col("km").std(), v=pl.col("km").var())"# => trips.agg([stddev(col("km")), var_sample(col("km"))])?;
                r#"trips.select(pl.corr("km", "fare"), c=pl.cov("km", "fare"))"#
                    => trips.agg([corr(col("km"), col("fare")), covar_samp(col("km"), col("fare"))])?;
                r#"trips.select("city", "fare").describe()"# => trips.columns(&["city", "fare"])?.describe()?,
                    "quartiles are interpolated";
                r#"trips["city"].value_counts(sort=True)"# => trips.value_counts("city")?;
                r#"trips.pivot("city", index="day", values="km", aggregate_function="max").select("day", "Basel", "Bern")"#
                    => trips.pivot(Pivot { on: "city", index: &["day"], aggregate: max(col("km")), values: None })?;
                r#"trips.unpivot(["km", "fare"], index="city")"#
                    => trips.unpivot(Unpivot { on: &["km", "fare"], index: &["city"], ..Unpivot::default() })?;
                r#"lists.explode("l")"# => lists.explode(&["l"])?, "a row whose list is empty stays, too";
            },
        ),
        (
            "Windows",
            pairs! { (trips, cities, lists, session)
                r#"trips.select(pl.col("km").sum().over("city"))"# => trips.select([over(sum(col("km")), [col("city")], [])?])?;
                r#"trips.select(pl.col("km").shift(1))"# => trips.select([shift(col("km"), 1)])?;
                r#"trips.select(pl.col("km").diff())"# => trips.select([diff(col("km"), 1)])?;
                r#"trips.select(pl.col("km").pct_change())"# => trips.select([pct_change(col("km"), 1)])?,
                    "Polars fills nulls forward first";
                r#"trips.select(pl.col("km").cum_sum(), pl.col("fare").cum_max())"#
                    => trips.select([cum_sum(col("km")), cum_max(col("fare"))])?;
                r#"trips.select(pl.col("km").cum_prod(), n=pl.col("km").cum_count())"#
                    => trips.select([cum_prod(col("km")), cum_count(col("km"))])?;
                r#"trips.select(pl.col("km").rank("average"))"# => trips.select([ranked(col("km"), Rank::Average, false)])?;
                r#"trips.select(pl.col("km").rank("dense", descending=True))"# => trips.select([ranked(col("km"), Rank::Dense, true)])?;
                r#"trips.select(pl.col("km").rolling_sum(2))"# => trips.select([rolling(sum(col("km")), Rolling::rows(2))?])?;
                r#"trips.select(pl.col("km").rolling_mean(3, min_samples=1, center=True))"#
                    => trips.select([rolling(avg(col("km")), Rolling { rows: 3, least: Some(1), center: true })?])?;
                r#"trips.select(pl.col("km").rolling_sum_by("day", "2d"))"#
                    => trips.select([rolling_by(sum(col("km")), col("day"), interval("2d")?)?])?;
                r#"trips.group_by_dynamic("day", every="1d").agg(pl.col("km").max())"#
                    => trips.group_by_time(col("day"), TimeWindows::every("1d")?, [])?.agg([max(col("km"))])?;
                r#"trips.group_by_dynamic("day", every="2d").agg(pl.col("km").max())"#
                    => trips.group_by_time(col("day"), TimeWindows::every("2d")?, [])?.agg([max(col("km"))])?,
                    "windows are counted from 2000-01-03, as in DuckDB, not from 1970";
                r#"trips.unique("day").sort("day").upsample("day", every="1d").select("day", "km")"#
                    => trips.resample("day", TimeWindows::every("1d")?, [max(col("km"))])?, "rows of the same day become one";
            },
        ),
        (
            "Several frames",
            pairs! { (trips, cities, lists, session)
                r#"trips.join(cities, on="city")"# => trips.join_using(cities, JoinType::Inner, &["city"])?;
                r#"trips.join(cities, on="city", how="full", coalesce=True)"# => trips.join_using(cities, JoinType::Full, &["city"])?;
                r#"cities.join(trips, on="city", how="anti")"# => cities.join_using(trips, JoinType::LeftAnti, &["city"])?;
                r#"trips.join(cities, left_on=pl.col("city").str.to_lowercase(), right_on=pl.col("city").str.to_lowercase())"#
                    => trips.join_exprs(cities, JoinType::Inner, [lower(col("city"))], [lower(col("city"))])?;
                r#"trips.join(cities, how="cross")"# => trips.cross_join(cities)?;
                r#"trips.select("day").unique().sort("day").join_asof(trips.select("day", "km").sort("day"), on="day", strategy="backward", allow_exact_matches=False)"#
                    => trips.clone().columns(&["day"])?.distinct()?.join_asof(trips.columns(&["day", "km"])?,
                        Asof { exact: false, ..Asof::on(col("day"), col("day")) })?.columns(&["day", "km"])?,
                    "of several rows at the same time, the last one is taken by both";
                r#"pl.concat([trips, trips])"# => concat([trips.clone(), trips])?;
                r#"pl.concat([trips, cities], how="diagonal")"# => concat_by_name([trips, cities])?;
                r#"trips.head(3).select("km").hstack(cities.select("canton"))"#
                    => trips.limit(0, 3)?.columns(&["km"])?.hstack(cities.columns(&["canton"])?)?;
            },
        ),
    ]
}
