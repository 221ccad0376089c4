//! The verbs of Dask's (and pandas') dataframes beside ours.

use super::{Pair, Table};
use partita::frame::concat;
use partita::prelude::*;

pub fn sections() -> Vec<Table> {
    vec![
        (
            "Columns",
            pairs! { (trips, cities, lists, session)
                r#"trips[["city", "km"]]"# => trips.columns(&["city", "km"])?;
                r#"trips.assign(double=trips.km * 2)"# => trips.with_columns([(col("km") * lit(2)).alias("double")])?;
                r#"trips.rename(columns={"km": "distance"})"# => trips.rename(&[("km", "distance")])?;
                r#"trips.add_prefix("trip_")"# => trips.rename_with(|name| format!("trip_{name}"))?;
                r#"trips.drop(columns=["fare"])"# => trips.drop(&["fare"])?;
                r#"trips.astype({"km": "float64"})"# => trips.cast(&[("km", arrow::datatypes::DataType::Float64)])?;
                r#"trips.city.str.upper()"# => trips.select([upper(col("city"))])?;
                r#"trips.day.dt.month"# => trips.select([session.function("month", [col("day")])?])?;
                r#"trips.km.clip(3, 4)"# => trips.select([clip(col("km"), Some(lit(3)), Some(lit(4)))])?;
                r#"trips.km.where(trips.km > 2)"# => trips.select([when(col("km").gt(lit(2)), col("km")).otherwise_null()])?;
                r#"trips.km.mask(trips.km > 2, 0)"# => trips.select([when(col("km").gt(lit(2)), lit(0)).otherwise(col("km"))])?;
                r#"trips.city.replace({"Bern": "Berne"})"# => trips.select([replace_values(col("city"), [("Bern", "Berne")])])?;
                r#"trips.km.isna()"# => trips.select([col("km").is_null()])?;
            },
        ),
        (
            "Rows",
            pairs! { (trips, cities, lists, session)
                r#"trips[trips.km > 2]"# => trips.filter(col("km").gt(lit(2)))?;
                r#"trips.query("km > 2 and city == 'Bern'")"# => trips.filter(col("km").gt(lit(2)).and(col("city").eq(lit("Bern"))))?;
                r#"trips[trips.km.isin([2, 3])]"# => trips.filter(is_in(col("km"), [2, 3]))?;
                r#"trips[trips.km.between(2, 3)]"# => trips.filter(col("km").between(lit(2), lit(3)))?;
                r#"trips.head(2)"# => trips.limit(0, 2)?, "Dask looks at the first partition only, and warns";
                r#"trips.tail(2)"# => trips.tail(2)?, "Dask looks at the last partition only";
                r#"trips.sort_values("fare", ascending=False)"# => trips.sort([col("fare").sort(false, false)])?;
                r#"trips.nlargest(2, "fare")"# => trips.nlargest(2, &["fare"])?;
                r#"trips.nsmallest(2, "fare")"# => trips.nsmallest(2, &["fare"])?;
                r#"trips[["city"]].drop_duplicates()"# => trips.columns(&["city"])?.distinct()?;
                r#"trips.drop_duplicates(subset=["city"], keep="last")"# => trips.distinct_on(&["city"], Keep::Last)?;
                r#"trips.sample(frac=0.4, random_state=1)"# => trips.sample(Sample::Fraction(0.4), Some(1))?,
                    "other rows by chance; each row with that chance";
                r#"trips.reset_index(drop=True)"# => trips, "there is no index: a row is where the file has it";
            },
        ),
        (
            "Nulls",
            pairs! { (trips, cities, lists, session)
                r#"trips.dropna(subset=["km"])"# => trips.drop_nulls(&["km"])?;
                r#"trips.dropna()"# => trips.drop_nulls(&[])?;
                r#"trips[["km", "fare"]].fillna(0)"# => trips.columns(&["km", "fare"])?.fill_null(0)?;
                r#"trips.ffill()"# => trips.fill_forward(&[], None)?;
                r#"trips.bfill(limit=1)"# => trips.fill_backward(&[], Some(1))?;
            },
        ),
        (
            "Groups",
            pairs! { (trips, cities, lists, session)
                r#"trips.groupby("city").agg({"km": "sum", "fare": "mean"})"#
                    => trips.group_by([col("city")]).agg([sum(col("km")), avg(col("fare"))])?;
                r#"trips.groupby("city").km.nunique()"# => trips.group_by([col("city")]).agg([count_distinct(col("km"))])?;
                r#"trips.groupby("city").size()"# => trips.group_by([col("city")]).agg([count(lit(1))])?;
                r#"trips.groupby("city").km.median()"# => trips.group_by([col("city")]).agg([median(col("km"))])?;
                r#"trips.km.sum()"# => trips.agg([sum(col("km"))])?;
                r#"trips.km.var()"# => trips.agg([var_sample(col("km"))])?;
                r#"trips.fare.quantile(0.5)"# => trips.agg([quantile(col("fare"), 0.5)])?, "Dask approximates; ours is exact";
                r#"trips[["km", "fare"]].corr()"# => trips.columns(&["km", "fare"])?.corr()?, "the names are a column, not an index";
                r#"trips[["km", "fare"]].cov()"# => trips.columns(&["km", "fare"])?.cov()?, "the names are a column, not an index";
                r#"trips[["fare"]].describe()"# => trips.columns(&["fare"])?.describe()?, "also the number of nulls; exact quartiles";
                r#"trips.city.value_counts()"# => trips.value_counts("city")?;
                r#"trips.nunique()"# => trips.nunique()?, "one row, a column for each";
                r#"trips[["city", "km"]].mode()"# => trips.columns(&["city", "km"])?.mode()?, "one of several, the first";
                r#"trips.astype({"city": "category"}).categorize().pivot_table(index="day", columns="city", values="km", aggfunc="sum")"#
                    => trips.pivot(Pivot { on: "city", index: &["day"], aggregate: sum(col("km")), values: None })?,
                    "no categories needed; a sum of nothing is null, where pandas has 0 and leaves rows of nulls out";
                r#"trips.melt(id_vars=["city"], value_vars=["km", "fare"])"#
                    => trips.unpivot(Unpivot { on: &["km", "fare"], index: &["city"], ..Unpivot::default() })?;
                r#"lists.explode("l")"# => lists.explode(&["l"])?;
            },
        ),
        (
            "Windows",
            pairs! { (trips, cities, lists, session)
                r#"trips.km.shift(1)"# => trips.select([shift(col("km"), 1)])?;
                r#"trips.km.diff()"# => trips.select([diff(col("km"), 1)])?;
                r#"trips.km.cumsum()"# => trips.select([cum_sum(col("km"))])?;
                r#"trips.km.cummin()"# => trips.select([cum_min(col("km"))])?;
                r#"trips.km.cummax()"# => trips.select([cum_max(col("km"))])?;
                r#"trips.km.cumprod()"# => trips.select([cum_prod(col("km"))])?;
                r#"trips.km.rolling(2).sum()"# => trips.select([rolling(sum(col("km")), Rolling::rows(2))?])?;
                r#"trips.km.rolling(3, min_periods=1, center=True).mean()"#
                    => trips.select([rolling(avg(col("km")), Rolling { rows: 3, least: Some(1), center: true })?])?;
                r#"trips.groupby("city").km.cumsum()"# => trips.select([over(cum_sum(col("km")), [col("city")], [])?])?;
                r#"trips.groupby("city").km.transform("sum", meta=("km", "f8"))"#
                    => trips.select([over(sum(col("km")), [col("city")], [])?])?;
                r#"trips.set_index("day", sorted=True).km.resample("1D").max()"# => trips.resample("day", TimeWindows::every("1d")?, [max(col("km"))])?;
                r#"trips.set_index("day", sorted=True).km.rolling("2D").sum()"#
                    => trips.select([rolling_by(sum(col("km")), col("day"), interval("2d")?)?])?,
                    "rows of the same time see each other";
            },
        ),
        (
            "Several frames",
            pairs! { (trips, cities, lists, session)
                r#"trips.merge(cities, on="city")"# => trips.join_using(cities, JoinType::Inner, &["city"])?;
                r#"trips.merge(cities, on="city", how="outer")"# => trips.join_using(cities, JoinType::Full, &["city"])?;
                r#"trips.merge(cities, on="city", how="leftsemi")"# => trips.join_using(cities, JoinType::LeftSemi, &["city"])?;
                r#"trips.merge(cities.rename(columns={"city": "name"}), left_on="city", right_on="name")"#
                    => trips.join(cities.rename(&[("city", "name")])?, JoinType::Inner, &["city"], &["name"])?;
                r#"dd.merge_asof(trips[["day", "km"]], trips[["day", "fare"]].rename(columns={"day": "at"}), left_on="day", right_on="at", direction="nearest")"#
                    => trips.clone().columns(&["day", "km"])?.join_asof(trips.columns(&["day", "fare"])?.rename(&[("day", "at")])?,
                        Asof { direction: Direction::Nearest, ..Asof::on(col("day"), col("at")) })?;
                r#"dd.concat([trips, trips])"# => concat([trips.clone(), trips])?;
                r#"dd.concat([trips, cities])"# => concat_by_name([trips, cities])?;
            },
        ),
        (
            "Running",
            pairs! { (trips, cities, lists, session)
                r#"trips.repartition(npartitions=4)"# => trips, "not needed: pieces are small, operators repartition by what they measure";
                r#"trips.npartitions"# => session.sql(&format!("SELECT {}", trips.partitions()?.unwrap_or(0)))?,
                    "`trips.partitions()`: how many pieces the rows come in, where that is known before";
                r#"trips.compute()"# => trips, "`trips.collect()` gathers, `trips.batches()` streams";
            },
        ),
    ]
}
