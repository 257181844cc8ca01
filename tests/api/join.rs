//! Joins of all kinds, both ways of bringing rows together, against tables written out and against pairs found one by one.

use super::check::{assert_close, check, check_frame, check_in_order, executors, failure, file, table};
use super::random_frames::{frame, rows};
use partita::Code;
use partita::polars::prelude::*;
use partita::prelude::{CsvOptions, DFrame, Join, JoinValidation, col, lit};
use proptest::prelude::{ProptestConfig, proptest};

const LEFT: &str = "k,x
    a,1
    b,2
    ,3
    a,4
    c,5";

const RIGHT: &str = "k,y
    a,10
    d,20
    a,30
    ,40
    c,50";

/// Both ways, and as the planner has it; the other frame in 1 and in 3 partitions.
fn check_all(join: impl Fn() -> Join, expected: &str) {
    for partitions in [1, 3] {
        let right = DFrame::from_polars(table(RIGHT), partitions);
        check(LEFT, |left| left.join(&right, join()), expected);
        check(LEFT, |left| left.join(&right, join().broadcast(false)), expected);
    }
}

#[test]
fn kinds() {
    check_all(|| Join::inner(["k"]), "k,x,y\na,1,10\na,1,30\na,4,10\na,4,30\nc,5,50");
    check_all(|| Join::left(["k"]), "k,x,y\na,1,10\na,1,30\nb,2,\n,3,\na,4,10\na,4,30\nc,5,50");
    check_all(|| Join::right(["k"]), "k,x,y\na,1,10\na,4,10\nd,,20\na,1,30\na,4,30\n,,40\nc,5,50");
    check_all(|| Join::full(["k"]), "k,x,y\na,1,10\na,1,30\nb,2,\n,3,\na,4,10\na,4,30\nc,5,50\nd,,20\n,,40");
    check_all(|| Join::semi(["k"]), "k,x\na,1\na,4\nc,5");
    check_all(|| Join::anti(["k"]), "k,x\nb,2\n,3");
    for join in [Join::inner(["k"]), Join::left(["k"]), Join::right(["k"]), Join::semi(["k"]), Join::anti(["k"])] {
        let right = DFrame::from_polars(table(RIGHT), 3);
        let expected = DFrame::from_polars(table(LEFT), 1).join(&DFrame::from_polars(table(RIGHT), 1), join.clone()).compute().unwrap();
        check_frame(&table(LEFT), |left| left.join(&right, join.clone().broadcast(true)), &expected, false);
    }
}

#[test]
fn nulls_that_are_equal() {
    check_all(|| Join::inner(["k"]).nulls_equal(true), "k,x,y\na,1,10\na,1,30\n,3,40\na,4,10\na,4,30\nc,5,50");
    check_all(|| Join::full(["k"]).nulls_equal(true), "k,x,y\na,1,10\na,1,30\nb,2,\n,3,40\na,4,10\na,4,30\nc,5,50\nd,,20");
    check_all(|| Join::anti(["k"]).nulls_equal(true), "k,x\nb,2");
}

/// As long as one side is small, rows come in the order of the other.
#[test]
fn rows_keep_their_order() {
    let right = DFrame::from_polars(table(RIGHT), 3);
    check_in_order(LEFT, |left| left.join(&right, Join::inner(["k"])), "k,x,y\na,1,10\na,1,30\na,4,10\na,4,30\nc,5,50");
    check_in_order(LEFT, |left| left.merge(&right, Join::left(["k"])).select(["x", "y"]), "x,y\n1,10\n1,30\n2,\n3,\n4,10\n4,30\n5,50");
    check_in_order(LEFT, |left| left.join(&right, Join::right(["k"])).select(["y", "x"]), "y,x\n10,1\n10,4\n20,\n30,1\n30,4\n40,\n50,5");
    check_in_order(LEFT, |left| left.join(&right, Join::anti(["k"])), "k,x\nb,2\n,3");
}

#[test]
fn keys_of_other_names_several_and_computed() {
    let right = DFrame::from_polars(table("id,n,y\na,4,1\na,1,2\nc,9,3"), 2);
    check(LEFT, |left| left.join(&right, Join::inner(["k"]).right_on(["id"])), "k,x,n,y\na,1,4,1\na,1,1,2\na,4,4,1\na,4,1,2\nc,5,9,3");
    check(LEFT, |left| left.join(&right, Join::inner(["k", "x"]).right_on(["id", "n"])), "k,x,y\na,4,1\na,1,2");
    check(
        LEFT,
        |left| left.join(&right, Join::full(["k", "x"]).right_on(["id", "n"]).broadcast(false)),
        "k,x,y\na,1,2\nb,2,\n,3,\na,4,1\nc,5,\nc,9,3",
    );
    let odd = || Join::inner([col("x") % lit(2)]).right_on([col("y") % lit(2)]);
    check(LEFT, |left| left.join(&right.filter(col("y").eq(lit(2))), odd()), "k,x,id,n,y\nb,2,a,1,2\na,4,a,1,2");
    let same = DFrame::from_polars(table(LEFT), 2);
    check(
        LEFT,
        |left| left.join(&same, Join::inner([col("x") + lit(1)]).right_on(["x"]).suffix("_next")),
        "k,x,k_next,x_next\na,1,b,2\nb,2,,3\n,3,a,4\na,4,c,5",
    );
    check(LEFT, |left| left.join(left, Join::semi(["x"])), "k,x\na,1\nb,2\n,3\na,4\nc,5");
}

#[test]
fn every_row_with_every_row() {
    for partitions in [1, 2] {
        let right = DFrame::from_polars(table("y\n7\n8"), partitions);
        check_in_order(
            LEFT,
            |left| left.join(&right, Join::cross()).select(["x", "y"]),
            "x,y\n1,7\n1,8\n2,7\n2,8\n3,7\n3,8\n4,7\n4,8\n5,7\n5,8",
        );
        let pairs = |left: &DFrame| left.join(&right, Join::cross().broadcast(false)).filter(col("x").gt(lit(3))).select(["x", "y"]);
        check(LEFT, pairs, "x,y\n4,7\n4,8\n5,7\n5,8");
    }
    let right = DFrame::from_polars(table("y\n7\n8"), 2);
    let n = DFrame::from_polars(table(LEFT), 3).join(&right, Join::cross().broadcast(false));
    assert_eq!((n.npartitions().unwrap(), n.len().unwrap()), (6, 10));
}

/// Sides without rows, and without any row that matches.
#[test]
fn nothing_to_join() {
    let right = DFrame::from_polars(table(RIGHT), 2);
    let none = |frame: &DFrame| frame.filter(col("k").eq(lit("nobody")));
    let kinds = [Join::inner(["k"]), Join::left(["k"]), Join::right(["k"]), Join::full(["k"]), Join::semi(["k"]), Join::anti(["k"])];
    let rows = |left: &DFrame, right: &DFrame| -> Vec<u64> {
        kinds
            .iter()
            .flat_map(|join| [join.clone(), join.clone().broadcast(false)])
            .map(|join| left.join(right, join).len().unwrap())
            .collect()
    };
    let left = DFrame::from_polars(table(LEFT), 2);
    assert_eq!(rows(&none(&left), &right), [0, 0, 0, 0, 5, 5, 5, 5, 0, 0, 0, 0]);
    assert_eq!(rows(&left, &none(&right)), [0, 0, 5, 5, 0, 0, 5, 5, 0, 0, 5, 5]);
    assert_eq!(rows(&none(&left), &none(&right)), [0; 12]);
    let greatest = df!("y" => [None::<i64>], "x" => [5i64]).unwrap();
    check_frame(&table(LEFT), |left| left.join(&none(&right), Join::left(["k"])).select(["y", "x"]).max(), &greatest, true);
}

#[test]
fn keys_of_other_types() {
    let numbers = |dtype: DataType| {
        let frame = df!("n" => [1i64, 2, 3], "y" => ["p", "q", "r"]).unwrap();
        DFrame::from_polars(frame, 2).cast([("n", dtype)])
    };
    for dtype in [DataType::Int8, DataType::UInt16, DataType::Int32, DataType::UInt64] {
        let narrow = numbers(dtype);
        for broadcast in [true, false] {
            check(
                LEFT,
                |left| left.join(&narrow, Join::inner(["x"]).right_on(["n"]).broadcast(broadcast)).drop(["k"]),
                "x,y\n1,p\n2,q\n3,r",
            );
        }
    }
    let negative = df!("x" => [-1i64, i64::MAX]).unwrap();
    let large = DFrame::from_polars(df!("x" => [u64::MAX, i64::MAX as u64], "y" => [1i64, 2]).unwrap(), 2);
    let expected = df!("x" => [-1i64, i64::MAX], "y" => [None, Some(2i64)]).unwrap();
    for broadcast in [true, false] {
        check_frame(&negative, |left| left.join(&large, Join::left(["x"]).broadcast(broadcast)), &expected, false);
    }
    let categories = DataType::from_categories(Categories::global());
    let right = DFrame::from_polars(table(RIGHT), 2).cast([("k", categories)]);
    check(LEFT, |left| left.join(&right, Join::semi(["k"])), "k,x\na,1\na,4\nc,5");
    check(LEFT, |left| left.join(&right, Join::semi(["k"]).broadcast(false)), "k,x\na,1\na,4\nc,5");
}

#[test]
fn unique_keys_are_checked() {
    let (left, right) = (DFrame::from_polars(table(LEFT), 3), DFrame::from_polars(table(RIGHT), 3));
    let once = right.unique_with(["k"], UniqueKeepStrategy::First);
    for broadcast in [true, false] {
        let joined = |left: &DFrame, right: &DFrame, validation| {
            left.join(right, Join::left(["k"]).validate(validation).broadcast(broadcast)).select(["x", "y"])
        };
        let text = failure(&joined(&left, &right, JoinValidation::ManyToOne), Code::NotUnique);
        assert!(text.contains("the right frame of the join has several rows with k = \"a\""), "{text}");
        assert!(text.contains("join.rs:") && text.contains("in .join(…)"), "{text}");
        let text = failure(&joined(&left, &once, JoinValidation::OneToMany), Code::NotUnique);
        assert!(text.contains("the left frame"), "{text}");
        failure(&joined(&left, &once, JoinValidation::OneToOne), Code::NotUnique);
        check(LEFT, |left| joined(left, &once, JoinValidation::ManyToOne), "x,y\n1,10\n2,\n3,\n4,10\n5,50");
        let first = |left: &DFrame| joined(&left.unique_with(["k"], UniqueKeepStrategy::First), &once, JoinValidation::OneToOne);
        check(LEFT, first, "x,y\n1,10\n2,\n3,\n5,50");
    }
    // A null is no key that could be there twice, unless nulls are equal.
    let nulls = DFrame::from_polars(df!("k" => [None::<&str>, None], "y" => [1i64, 2]).unwrap(), 2);
    let one = |equal: bool| left.join(&nulls, Join::left(["k"]).validate(JoinValidation::ManyToOne).nulls_equal(equal));
    assert_eq!(one(false).len().unwrap(), 5);
    failure(&one(true), Code::NotUnique);
}

#[test]
fn what_does_not_fit() {
    let (left, right) = (DFrame::from_polars(table(LEFT), 2), DFrame::from_polars(table(RIGHT), 2));
    let text = failure(&left.join(&right, Join::inner(["kk"])), Code::ColumnNotFound);
    assert!(text.contains("did you mean: `k`?") && text.contains("join.rs:"), "{text}");
    let text = failure(&left.join(&right, Join::inner(["x"])), Code::ColumnNotFound);
    assert!(text.contains("the right frame of the join"), "{text}");
    failure(&left.join(&right, Join::inner(["k", "x"]).right_on(["k"])), Code::InvalidOption);
    failure(&left.join(&right, Join::inner(Vec::<Expr>::new())), Code::InvalidOption);
    failure(&left.join(&right, Join::full(["k"]).broadcast(true)), Code::InvalidOption);
    let text = failure(&left.join(&right, Join::inner(["x"]).right_on(["y"])), Code::DuplicateColumn);
    assert!(text.contains("`k`") && text.contains(".suffix(\"_right\")"), "{text}");
    let taken = left.rename([("x", "k_right")]).join(&right.select(["k"]), Join::cross().suffix("_right"));
    let text = failure(&taken, Code::DuplicateColumn);
    assert!(text.contains("k_right"), "{text}");
    let text = failure(&left.join(&right.rename([("k", "t")]), Join::inner(["x"]).right_on(["t"])), Code::TypeMismatch);
    assert!(text.contains("left: i64") && text.contains("right: str"), "{text}");
    failure(&left.join(&right, Join::inner([col("k").max()]).suffix("_r")), Code::Unsupported);
    failure(&left.is_in(["k", "x"], &right.select(["k"]), "there"), Code::InvalidOption);
    failure(&left.is_in(["k"], &right.select(["k"]), "x"), Code::DuplicateColumn);
}

#[test]
fn values_in_another_frame() {
    let right = DFrame::from_polars(table(RIGHT), 3);
    check_in_order(
        LEFT,
        |left| left.is_in(["k"], &right.select(["k"]), "there"),
        "k,x,there\na,1,true\nb,2,false\n,3,\na,4,true\nc,5,true",
    );
    let tens = |left: &DFrame| left.is_in([col("x") * lit(10)], &right.select(["y"]), "there").select(["x", "there"]);
    check_in_order(LEFT, tens, "x,there\n1,true\n2,true\n3,true\n4,true\n5,true");
    let pairs = DFrame::from_polars(table("k,x\na,4\nb,4\nc,5"), 2);
    check_in_order(LEFT, |left| left.is_in(["k", "x"], &pairs, "there").drop(["k"]), "x,there\n1,false\n2,false\n3,\n4,true\n5,true");
}

/// Filters and columns go down on the side that they belong to, and results stay what they are.
#[test]
fn what_is_not_needed_is_not_read() {
    let (_a, left) = file("left.csv", "k,x,u\na,1,p\nb,2,q\na,3,r\n");
    let (_b, right) = file("right.csv", "k,y,v\na,10,p\nc,20,q\nb,30,r\n");
    let left = DFrame::read_csv_with(&left, CsvOptions::new()).unwrap();
    let right = DFrame::read_csv_with(&right, CsvOptions::new()).unwrap();
    let joined = left.join(&right, Join::inner(["k"]));
    let filtered = joined.filter(col("x").lt(lit(3)).and(col("y").gt(lit(10)))).select(["x", "y"]);
    let plan = filtered.explain();
    assert!(plan.contains("left.csv, 2 of 3 columns, where [(x) < (dyn int: 3)]"), "{plan}");
    assert!(plan.contains("right.csv, 2 of 3 columns, where [(y) > (dyn int: 10)]"), "{plan}");
    assert_eq!(filtered.compute().unwrap(), df!("x" => [2i64], "y" => [30i64]).unwrap());
    // What a left join adds is not there before it, so a filter on it stays above.
    let kept = left.join(&right, Join::left(["k"])).filter(col("y").is_null().or(col("y").gt(lit(10)))).select(["x"]);
    assert!(!kept.explain().contains("right.csv, 2 of 3 columns, where"), "{}", kept.explain());
    assert_eq!(kept.compute().unwrap(), df!("x" => [2i64]).unwrap());
    let renamed =
        left.join(&right.rename([("y", "x")]), Join::inner(["k"]).suffix("_r")).filter(col("x_r").gt(lit(10))).select(["x_r", "u"]);
    assert!(renamed.explain().contains("right.csv, 2 of 3 columns, where [(y) > (dyn int: 10)]"), "{}", renamed.explain());
    assert_eq!(renamed.compute().unwrap(), df!("x_r" => [30i64], "u" => ["q"]).unwrap());
    assert_eq!((joined.len().unwrap(), joined.npartitions().unwrap()), (3, 1));
}

/// Keys as polars has them equal; what a test may look at slowly.
fn equal(left: &DataFrame, at: usize, right: &DataFrame, other: usize, keys: &[&str], nulls_equal: bool) -> bool {
    keys.iter().all(|key| {
        let text = |frame: &DataFrame, row: usize| {
            let column = frame.column(key).unwrap();
            match column.get(row).unwrap() {
                AnyValue::Null => None,
                AnyValue::Float64(x) if x.is_nan() => Some("NaN".to_string()),
                AnyValue::Float64(x) => Some((x + 0.0).to_string()),
                _ => Some(column.cast(&DataType::String).unwrap().get(row).unwrap().to_string()),
            }
        };
        let (left, right) = (text(left, at), text(right, other));
        left == right && (left.is_some() || nulls_equal)
    })
}

/// The join by looking at every pair.
fn expected(left: &DataFrame, right: &DataFrame, how: usize, keys: &[&str], nulls_equal: bool) -> DataFrame {
    let mut pairs: Vec<(Option<IdxSize>, Option<IdxSize>)> = Vec::new();
    let meets = |l: usize, r: usize| equal(left, l, right, r, keys, nulls_equal);
    for l in 0..left.height() {
        let found: Vec<usize> = (0..right.height()).filter(|r| meets(l, *r)).collect();
        match how {
            4 if !found.is_empty() => pairs.push((Some(l as IdxSize), None)),
            5 if found.is_empty() => pairs.push((Some(l as IdxSize), None)),
            4 | 5 => {}
            1 | 3 if found.is_empty() => pairs.push((Some(l as IdxSize), None)),
            _ => pairs.extend(found.iter().map(|r| (Some(l as IdxSize), Some(*r as IdxSize)))),
        }
    }
    if how == 2 || how == 3 {
        let alone = (0..right.height()).filter(|r| !(0..left.height()).any(|l| meets(l, *r)));
        pairs.extend(alone.map(|r| (None, Some(r as IdxSize))));
    }
    let index = |rows: Vec<Option<IdxSize>>| IdxCa::from_iter_options(PlSmallStr::EMPTY, rows.into_iter());
    let of_left = left.take(&index(pairs.iter().map(|pair| pair.0).collect())).unwrap();
    if how >= 4 {
        return of_left;
    }
    let of_right = right.take(&index(pairs.iter().map(|pair| pair.1).collect())).unwrap();
    let columns = of_left.columns().iter().map(|column| match keys.contains(&column.name().as_str()) && (how == 2 || how == 3) {
        true => {
            let other = of_right.column(column.name()).unwrap();
            let there: BooleanChunked = pairs.iter().map(|pair| pair.1.is_some()).collect();
            other.zip_with(&there, column).unwrap()
        }
        false => column.clone(),
    });
    let mut columns: Vec<Column> = columns.collect();
    let others = of_right.columns().iter().filter(|column| !keys.contains(&column.name().as_str()));
    columns.extend(others.map(|column| column.clone().with_name(format!("{}_r", column.name()).into())));
    DataFrame::new(pairs.len(), columns).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn joins_like_all_pairs(
        left in rows(24), right in rows(24), cut in 1usize..5, other_cut in 1usize..5, how in 0usize..6, which in 0usize..5, nulls_equal: bool,
        broadcast in 0usize..3,
    ) {
        let (left, right) = (frame(&left), frame(&right));
        let keys: &[&str] = [&["k"][..], &["f"], &["t", "b"], &["c"], &["d", "n"]][which];
        let on = keys.to_vec();
        let join = match how {
            0 => Join::inner(on),
            1 => Join::left(on),
            2 => Join::right(on),
            3 => Join::full(on),
            4 => Join::semi(on),
            _ => Join::anti(on),
        };
        let join = join.nulls_equal(nulls_equal).suffix("_r");
        let join = match broadcast {
            0 => join.broadcast(false),
            1 if how != 3 => join.broadcast(true),
            _ => join,
        };
        let expected = expected(&left, &right, how, keys, nulls_equal);
        let ours = DFrame::from_polars(left, cut).join(&DFrame::from_polars(right, other_cut), join);
        for (name, executor) in executors() {
            assert_close(&ours.compute_on(&*executor).unwrap().frame, &expected, false, &name);
        }
    }
}
