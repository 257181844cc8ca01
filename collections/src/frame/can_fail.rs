//! Which expressions can fail on some value of some row. Such a condition must not see rows that an earlier one takes away: a division that
//! another condition guards would fail after all.
//!
//! It lists what never fails and refuses to guess: what is not listed, or of a type that is not known, can fail. Invariant: an expression that
//! passes here gives a value, or null, for whatever its columns hold.

use polars::prelude::*;
use polars_plan::dsl::{
    BinaryFunction, BooleanFunction, DataTypeExpr, FunctionExpr, ListFunction, PowFunction, StringFunction, TemporalFunction,
};
use polars_plan::plans::{DynLiteralValue, LiteralValue};

/// Whether evaluating the expression over rows of this schema can fail on some value.
pub(crate) fn can_fail(expr: &Expr, schema: &Schema) -> bool {
    expr.into_iter().any(|part| !never_fails(part, schema, true))
}

/// The same for who computes again, over fewer rows, when arithmetic of decimals has failed: that alone does not count.
pub(crate) fn can_fail_beside_decimals(expr: &Expr, schema: &Schema) -> bool {
    expr.into_iter().any(|part| !never_fails(part, schema, false))
}

/// Whether this part alone never fails, once its own parts have not.
fn never_fails(part: &Expr, schema: &Schema, decimals_fail: bool) -> bool {
    let types_of = |parts: &[&Expr]| -> Option<Vec<DataType>> { parts.iter().map(|part| type_of(part, schema)).collect() };
    match part {
        Expr::Column(_) | Expr::Literal(_) | Expr::Alias(..) | Expr::KeepName(_) | Expr::RenameAlias { .. } => true,
        Expr::BinaryExpr { left, op, right } => match types_of(&[left, right]).as_deref() {
            Some([left, right]) => operation(*op, left, right, decimals_fail),
            _ => false,
        },
        Expr::Ternary { predicate, truthy, falsy } => match types_of(&[predicate, truthy, falsy]).as_deref() {
            // Values of different types are cast strictly to the one that they have in common, in which numbers always fit.
            Some([predicate, one, other]) => is_bits(predicate) && is_one_value(one) && is_one_value(other) && are_alike(one, other),
            _ => false,
        },
        // A constant is cast, or not, whichever rows there are.
        Expr::Cast { expr, .. } if matches!(**expr, Expr::Literal(_)) => true,
        Expr::Cast { expr, dtype: DataTypeExpr::Literal(to), options } if !options.is_strict() => {
            type_of(expr, schema).is_some_and(|from| casts(&from, to))
        }
        Expr::Function { input, function: FunctionExpr::Boolean(BooleanFunction::IsIn { .. }) } => is_in(input, schema),
        Expr::Function { input, function } => {
            let types: Option<Vec<DataType>> = input.iter().map(|part| type_of(part, schema)).collect();
            types.is_some_and(|types| calls(function, input, &types))
        }
        _ => false,
    }
}

/// The type of a part, if it has one and is one value for each row or for all.
fn type_of(part: &Expr, schema: &Schema) -> Option<DataType> {
    match part {
        Expr::Column(name) => schema.get(name).cloned(),
        Expr::Alias(inner, _) => type_of(inner, schema),
        Expr::Literal(LiteralValue::Series(values)) if values.len() != 1 => None,
        Expr::Literal(LiteralValue::Range(_) | LiteralValue::Dyn(DynLiteralValue::List(_))) => None,
        Expr::Literal(value) => Some(value.get_datatype()),
        other => other.to_field(schema).ok().map(|field| field.dtype),
    }
}

/// Arithmetic of whole numbers wraps around, and gives null for a division by zero; that of decimals fails at both.
fn operation(op: Operator, left: &DataType, right: &DataType, decimals_fail: bool) -> bool {
    use Operator as Op;
    match op {
        Op::Eq | Op::NotEq | Op::EqValidity | Op::NotEqValidity => {
            // Texts that are no category are equal to none.
            let categories = |dtype: &DataType| dtype.is_categorical() || dtype.is_enum();
            let by_name = |one: &DataType, other: &DataType| categories(one) && (is_text(other) || one == other);
            (is_one_value(left) && is_one_value(right)) || by_name(left, right) || by_name(right, left)
        }
        Op::Lt | Op::LtEq | Op::Gt | Op::GtEq => is_one_value(left) && is_one_value(right),
        Op::And | Op::Or | Op::Xor | Op::LogicalAnd | Op::LogicalOr => is_bits(left) && is_bits(right),
        Op::Plus | Op::Minus | Op::Multiply | Op::RustDivide | Op::TrueDivide | Op::FloorDivide | Op::Modulus => {
            match left.is_decimal() || right.is_decimal() {
                // Beside a float a decimal is one too.
                true => left.is_float() || right.is_float() || !decimals_fail,
                false => is_one_value(left) && is_one_value(right),
            }
        }
    }
}

/// Casts that make null of what they cannot express. Times become text by way of a calendar that does not have all of them.
fn casts(from: &DataType, to: &DataType) -> bool {
    let number = |dtype: &DataType| dtype.is_primitive_numeric() || dtype.is_decimal() || *dtype == DataType::Boolean;
    let time = |dtype: &DataType| matches!(dtype, DataType::Date | DataType::Datetime(_, None) | DataType::Duration(_) | DataType::Time);
    from == to
        || (number(from) && (number(to) || time(to) || *to == DataType::String))
        || (is_text(from) && (number(to) || time(to) || *to == DataType::String))
        || (time(from) && (number(to) || time(to)))
        || (from.is_temporal() && to.is_primitive_numeric())
        || (from.is_null() && is_one_value(to))
}

/// A list that is written down, or that stands in a column, of values that are compared as they are.
fn is_in(input: &[Expr], schema: &Schema) -> bool {
    let [value, list] = input else { return false };
    let list = match list {
        Expr::Literal(LiteralValue::Series(values)) => Some(values.dtype().clone()),
        other => type_of(other, schema),
    };
    let values = list.map(|list| match list {
        DataType::List(inner) => *inner,
        values => values,
    });
    type_of(value, schema).is_some_and(|dtype| is_one_value(&dtype)) && values.is_some_and(|dtype| is_one_value(&dtype))
}

fn calls(function: &FunctionExpr, input: &[Expr], types: &[DataType]) -> bool {
    let Some(first) = types.first() else { return false };
    let all = |fits: fn(&DataType) -> bool| types.iter().all(fits);
    // How a text is looked at is read once, and fails for all rows if it does.
    let written = input[1..].iter().all(|argument| matches!(argument, Expr::Literal(_)));
    match function {
        FunctionExpr::Boolean(function) => match function {
            BooleanFunction::IsNull | BooleanFunction::IsNotNull => true,
            BooleanFunction::IsFinite | BooleanFunction::IsInfinite | BooleanFunction::IsNan | BooleanFunction::IsNotNan => all(is_number),
            BooleanFunction::IsBetween { .. } => all(is_one_value),
            BooleanFunction::AllHorizontal | BooleanFunction::AnyHorizontal | BooleanFunction::Not => all(is_bits),
            _ => false,
        },
        FunctionExpr::Abs
        | FunctionExpr::Negate
        | FunctionExpr::Sign
        | FunctionExpr::Floor
        | FunctionExpr::Ceil
        | FunctionExpr::Round { .. }
        | FunctionExpr::MinHorizontal
        | FunctionExpr::MaxHorizontal
        | FunctionExpr::Log
        | FunctionExpr::Log1p
        | FunctionExpr::Exp
        | FunctionExpr::Trigonometry(_)
        | FunctionExpr::Atan2
        | FunctionExpr::Pow(PowFunction::Sqrt | PowFunction::Cbrt) => all(is_number),
        // Bounds are cast to the type of what is clipped, and must fit.
        FunctionExpr::Clip { .. } => is_number(first) && (written || types.iter().all(|dtype| dtype == first)),
        // Of whole numbers a power below zero is none.
        FunctionExpr::Pow(PowFunction::Generic) => first.is_float() && all(is_number),
        FunctionExpr::FillNull | FunctionExpr::Coalesce => have_one_type(types),
        FunctionExpr::StringExpr(function) => is_text(first) && written && reads_text(function),
        FunctionExpr::BinaryExpr(function) => {
            use BinaryFunction as Of;
            written && matches!(function, Of::Contains | Of::StartsWith | Of::EndsWith | Of::Size)
        }
        FunctionExpr::TemporalExpr(function) => is_part_of_time(function, first),
        FunctionExpr::ListExpr(function) => match function {
            ListFunction::Length => true,
            // Null where the list is too short.
            ListFunction::Get(null) => *null && written,
            _ => false,
        },
        _ => false,
    }
}

fn reads_text(function: &StringFunction) -> bool {
    use StringFunction as Of;
    let finds = matches!(function, Of::Contains { .. } | Of::Find { .. } | Of::CountMatches(_) | Of::StartsWith | Of::EndsWith);
    let measures = matches!(function, Of::LenBytes | Of::LenChars);
    let strips = matches!(function, Of::StripChars | Of::StripCharsStart | Of::StripCharsEnd | Of::StripPrefix | Of::StripSuffix);
    let cuts = matches!(function, Of::Slice | Of::Head | Of::Tail | Of::Extract(_));
    finds || measures || strips || cuts || matches!(function, Of::Lowercase | Of::Uppercase | Of::Replace { .. })
}

/// Years, days, hours: of times that no calendar has they are null. Only nanoseconds are all in the calendar, where a time of day is asked too.
fn is_part_of_time(function: &TemporalFunction, dtype: &DataType) -> bool {
    use TemporalFunction as Of;
    match function {
        Of::Year | Of::IsoYear | Of::IsLeapYear | Of::Quarter | Of::Month | Of::Week | Of::WeekDay | Of::Day | Of::OrdinalDay => {
            matches!(dtype, DataType::Date | DataType::Datetime(TimeUnit::Nanoseconds, None))
        }
        Of::Hour | Of::Minute | Of::Second => matches!(dtype, DataType::Time | DataType::Datetime(TimeUnit::Nanoseconds, None)),
        Of::Date => matches!(dtype, DataType::Date | DataType::Datetime(_, None)),
        Of::TotalDays { .. } | Of::TotalHours { .. } | Of::TotalMinutes { .. } | Of::TotalSeconds { .. } => dtype.is_duration(),
        _ => false,
    }
}

fn is_number(dtype: &DataType) -> bool {
    dtype.is_primitive_numeric()
}

fn is_text(dtype: &DataType) -> bool {
    matches!(dtype, DataType::String | DataType::Unknown(UnknownKind::Str))
}

/// What is true or false, or bits.
fn is_bits(dtype: &DataType) -> bool {
    is_number(dtype) || matches!(dtype, DataType::Boolean | DataType::Null)
}

/// What is compared as it is: no list, no record, and no category, which has a name besides.
fn is_one_value(dtype: &DataType) -> bool {
    is_bits(dtype) || is_text(dtype) || dtype.is_decimal() || dtype.is_temporal() || *dtype == DataType::Binary
}

/// Types of which each holds what is in the other, or that have one that holds both.
fn are_alike(one: &DataType, other: &DataType) -> bool {
    let both = |fits: fn(&DataType) -> bool| fits(one) && fits(other);
    one == other || one.is_null() || other.is_null() || both(is_bits) || both(is_text)
}

/// Whether values that take each other's place have types that become one without failing: times do not become text.
fn have_one_type(types: &[DataType]) -> bool {
    let mixed = types.iter().any(is_text) && types.iter().any(DataType::is_temporal);
    types.iter().all(is_one_value) && !mixed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Schema {
        let time = |unit| DataType::Datetime(unit, None);
        let columns = [
            ("i", DataType::Int64),
            ("f", DataType::Float64),
            ("b", DataType::Boolean),
            ("s", DataType::String),
            ("d", DataType::Date),
            ("t", time(TimeUnit::Microseconds)),
            ("n", time(TimeUnit::Nanoseconds)),
            ("l", DataType::List(Box::new(DataType::Int64))),
            ("dec", DataType::Decimal(15, 2)),
            ("fine", DataType::Decimal(20, 6)),
            ("e", DataType::from_frozen_categories(FrozenCategories::new(["x", "y"]).expect("two names"))),
        ];
        Schema::from_iter(columns.map(|(name, dtype)| (PlSmallStr::from(name), dtype)))
    }

    fn amount(units: i128) -> Expr {
        Expr::Literal(LiteralValue::Scalar(Scalar::new(DataType::Decimal(15, 2), AnyValue::Decimal(units, 15, 2))))
    }

    fn day() -> Expr {
        Expr::Literal(LiteralValue::Scalar(Scalar::new(DataType::Date, AnyValue::Date(9000))))
    }

    #[test]
    fn what_conditions_are_made_of_never_fails() {
        let list = lit(Series::new(PlSmallStr::EMPTY, [Series::new(PlSmallStr::EMPTY, ["a", "b"])]));
        let cases = [
            col("dec").gt_eq(amount(500)).and(col("dec").lt_eq(lit(7))),
            col("dec").gt(col("fine")),
            col("dec").lt(lit(0.5)),
            col("dec").is_between(amount(1), amount(9), ClosedInterval::Both),
            (col("dec") * lit(0.2)).lt(col("f")),
            (col("dec") * col("f")).gt(lit(1)),
            col("dec").is_null().or(col("dec").fill_null(lit(0)).gt(lit(0))),
            col("d").gt_eq(day()).and(col("d").lt(col("t"))),
            (col("d") - day()).gt(lit(Duration::parse("30d"))),
            (col("i") / lit(0)).eq(lit(1)),
            (col("i") % col("i") + col("f") * lit(2)).gt(lit(0)),
            col("s").eq(lit("a")).or(col("s").neq(lit("b"))),
            col("s").is_in(list, false),
            col("s").str().starts_with(lit("a")).or(col("s").str().contains(lit("b.*c"), true)),
            col("s").str().slice(lit(0), lit(2)).eq(lit("ab")),
            col("s").cast(DataType::Int64).gt(lit(1)),
            col("t").cast(DataType::Date).eq(day()),
            col("d").dt().year().eq(lit(1995)).or(col("n").dt().hour().eq(lit(3))),
            when(col("b")).then(col("i")).otherwise(lit(0)).gt(lit(0)),
            when(col("b")).then(col("s")).otherwise(lit("x")).eq(lit("a")),
            col("i").clip_max(lit(3)).gt(lit(0)),
            col("l").list().get(lit(3), true).gt(lit(0)),
            col("l").list().len().gt(lit(0)),
            col("e").eq(lit("z")),
            col("f").pow(lit(2)).sqrt().is_not_nan(),
            lit("17").strict_cast(DataType::Int64).gt(col("i")),
            col("i").alias("j").abs().gt(lit(2)),
        ];
        for case in cases {
            assert!(!can_fail(&case, &schema()), "{case}");
        }
    }

    #[test]
    fn what_fails_on_some_value_can_fail() {
        let parsed = StrptimeOptions { format: Some("%Y".into()), strict: true, ..StrptimeOptions::default() };
        let cases = [
            (lit(1) / col("dec")).gt(lit(0)),
            (amount(100) / col("dec")).gt(amount(10)),
            (col("dec") * col("dec")).gt(lit(0)),
            (col("dec") + lit(1)).gt(lit(0)),
            (col("dec") - col("fine")).lt(amount(1)),
            (col("dec") % col("i")).eq(lit(0)),
            col("s").strict_cast(DataType::Int64).gt(lit(1)),
            col("i").strict_cast(DataType::Int8).gt(lit(1)),
            col("s").str().to_date(parsed).gt(day()),
            col("s").str().contains(col("s"), true),
            col("t").cast(DataType::String).eq(lit("a")),
            col("t").dt().year().eq(lit(1995)),
            col("t").dt().truncate(col("s")).eq(col("t")),
            col("l").list().get(lit(3), false).gt(lit(0)),
            col("l").eq(col("l")),
            col("l").list().sum().gt(lit(0)),
            col("e").lt(lit("z")),
            col("e").strict_cast(DataType::Int8).gt(lit(0)),
            col("i").pow(col("i")).gt(lit(0)),
            col("i").map(Ok, |_, field| Ok(field.clone())).gt(lit(0)),
            (col("unknown") + lit(1)).gt(lit(0)),
            when(col("b")).then(col("d")).otherwise(col("s")).eq(lit("a")),
            when(col("b")).then(col("dec")).otherwise(col("fine")).gt(lit(0)),
            when(col("b")).then(col("d")).otherwise(col("n")).gt(day()),
            col("i").clip_max(col("f")).gt(lit(0)),
            col("i").eq(lit(Series::new(PlSmallStr::EMPTY, [1, 2, 3]))),
            col("i").sum().gt(lit(1)),
        ];
        for case in cases {
            assert!(can_fail(&case, &schema()), "{case}");
        }
        let product = col("dec") * (lit(1) - col("dec"));
        assert!(can_fail(&product, &schema()) && !can_fail_beside_decimals(&product, &schema()));
        assert!(can_fail_beside_decimals(&(product + col("s").strict_cast(DataType::Int64)), &schema()));
    }
}
