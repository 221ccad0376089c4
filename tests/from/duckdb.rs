//! DuckDB's SQL beside our frame. What DuckDB says is also run by our SQL, as it is.

use super::{Pair, Table};
use partita::frame::concat;
use partita::prelude::*;

pub fn sections() -> Vec<Table> {
    vec![
        (
            "Columns and rows",
            pairs! { (trips, cities, lists, session)
                "SELECT city, km * 2 FROM trips" => trips.select([col("city"), col("km") * lit(2)])?;
                "SELECT * EXCLUDE (fare) FROM trips" => trips.drop(&["fare"])?;
                "SELECT * REPLACE (km + 1 AS km) FROM trips" => trips.with_columns([(col("km") + lit(1)).alias("km")])?;
                "SELECT * RENAME (km AS distance) FROM trips" => trips.rename(&[("km", "distance")])?;
                "SELECT km::DOUBLE FROM trips" => trips.select([cast(col("km"), arrow::datatypes::DataType::Float64)])?;
                "SELECT CASE WHEN km > 2 THEN 'far' ELSE 'near' END FROM trips"
                    => trips.select([when(col("km").gt(lit(2)), lit("far")).otherwise(lit("near"))])?;
                "SELECT strftime(day, '%d.%m.') FROM trips"
                    => trips.select([session.function("strftime", [col("day"), lit("%d.%m.")])?])?;
                "FROM trips WHERE km IN (2, 3)" => trips.filter(is_in(col("km"), [2, 3]))?;
                "FROM trips WHERE km BETWEEN 2 AND 3" => trips.filter(col("km").between(lit(2), lit(3)))?;
                "FROM trips WHERE km IS NOT NULL AND fare IS NOT NULL" => trips.drop_nulls(&["km", "fare"])?;
                "SELECT coalesce(km, 0) FROM trips" => trips.columns(&["km"])?.fill_null(0)?;
                "FROM trips LIMIT 2 OFFSET 1" => trips.limit(1, 2)?;
                "FROM trips ORDER BY fare DESC LIMIT 2" => trips.nlargest(2, &["fare"])?;
                "SELECT DISTINCT city FROM trips" => trips.columns(&["city"])?.distinct()?;
                "SELECT DISTINCT ON (city) * FROM trips ORDER BY city, fare"
                    => trips.sort([col("city").sort(true, false), col("fare").sort(true, false)])?.distinct_on(&["city"], Keep::First)?;
                "FROM trips USING SAMPLE 2 ROWS" => trips.sample(Sample::Rows(2), None)?, "other rows by chance";
            },
        ),
        (
            "Groups",
            pairs! { (trips, cities, lists, session)
                "SELECT city, sum(km), avg(fare) FROM trips GROUP BY ALL"
                    => trips.group_by([col("city")]).agg([sum(col("km")), avg(col("fare"))])?;
                "SELECT quantile_cont(km, 0.25), median(km), mode(city) FROM trips"
                    => trips.agg([quantile(col("km"), 0.25), median(col("km")), mode(col("city"))])?;
                "SELECT count(DISTINCT km), arg_max(city, fare) FROM trips"
                    => trips.agg([count_distinct(col("km")), arg_max(col("city"), col("fare"))])?;
                "SELECT corr(km, fare), covar_samp(km, fare) FROM trips"
                    => trips.agg([corr(col("km"), col("fare")), covar_samp(col("km"), col("fare"))])?;
                "SELECT time_bucket(INTERVAL '2 days', day) AS day, max(km) FROM trips GROUP BY ALL"
                    => trips.group_by_time(col("day"), TimeWindows::every("2d")?, [])?.agg([max(col("km"))])?;
                "PIVOT trips ON city USING max(km) GROUP BY day"
                    => trips.pivot(Pivot { on: "city", index: &["day"], aggregate: max(col("km")), values: None })?;
                "UNPIVOT (SELECT city, km::DOUBLE AS km, fare FROM trips) ON km, fare INTO NAME variable VALUE value"
                    => trips.unpivot(Unpivot { on: &["km", "fare"], index: &["city"], ..Unpivot::default() })?.drop_nulls(&["value"])?;
                "SELECT n, unnest(l) FROM lists" => lists.explode(&["l"])?.drop_nulls(&["l"])?;
                "SUMMARIZE trips" => trips.describe()?, "a row a column there, a column a column here";
            },
        ),
        (
            "Windows",
            pairs! { (trips, cities, lists, session)
                "SELECT city, sum(km) OVER (PARTITION BY city) FROM trips"
                    => trips.select([col("city"), over(sum(col("km")), [col("city")], [])?])?;
                "SELECT day, lag(km) OVER (ORDER BY day, city) FROM trips"
                    => trips.select([col("day"), over(shift(col("km"), 1), [], [col("day").sort(true, false), col("city").sort(true, false)])?])?;
                "SELECT km, rank() OVER (ORDER BY km) FROM trips WHERE km IS NOT NULL"
                    => trips.drop_nulls(&["km"])?.select([col("km"), ranked(col("km"), Rank::Min, false)])?;
                "FROM trips QUALIFY row_number() OVER (PARTITION BY city ORDER BY day) = 1"
                    => trips.filter(over(row_number(), [col("city")], [col("day").sort(true, false)])?.eq(lit(1)))?;
                "SELECT day, sum(km) OVER (ORDER BY day RANGE BETWEEN INTERVAL 1 DAY PRECEDING AND CURRENT ROW) FROM trips"
                    => trips.select([col("day"), rolling_by(sum(col("km")), col("day"), interval("2d")?)?])?;
            },
        ),
        (
            "Several tables",
            pairs! { (trips, cities, lists, session)
                "FROM trips JOIN cities USING (city)" => trips.join_using(cities, JoinType::Inner, &["city"])?;
                "FROM trips FULL JOIN cities USING (city)" => trips.join_using(cities, JoinType::Full, &["city"])?;
                "FROM cities ANTI JOIN trips USING (city)" => cities.join_using(trips, JoinType::LeftAnti, &["city"])?;
                "SELECT t.city, canton FROM trips t JOIN cities c ON lower(t.city) = lower(c.city)"
                    => trips.join_exprs(cities, JoinType::Inner, [lower(col("city"))], [lower(col("city"))])?.columns(&["trips.city", "canton"])?;
                "FROM trips CROSS JOIN cities" => trips.cross_join(cities)?;
                "SELECT t.day, u.day, u.km FROM (SELECT DISTINCT day FROM trips) t ASOF JOIN (SELECT day, sum(km) AS km FROM trips GROUP BY day) u ON t.day > u.day"
                    => trips.clone().columns(&["day"])?.distinct()?.join_asof(trips.group_by([col("day")]).agg([sum(col("km")).alias("km")])?,
                        Asof { exact: false, how: JoinType::Inner, ..Asof::on(col("day"), col("day")) })?;
                "SELECT city FROM trips UNION ALL SELECT city FROM cities" => concat([trips.columns(&["city"])?, cities.columns(&["city"])?])?;
                "FROM trips UNION ALL BY NAME FROM cities" => concat_by_name([trips, cities])?;
                "SELECT t.city, canton FROM trips t POSITIONAL JOIN cities c"
                    => trips.columns(&["city"])?.hstack(cities.columns(&["canton"])?)?;
            },
        ),
    ]
}
