//! Groups of a partition by our own numbering of rows instead of polars' lists of rows: the keys are looked up once, and every
//! state is one pass. What it is not made for goes through polars ([`super::partial::grouped`]), which tests compare it with.

use partita_graph::Failure;
use polars::prelude::*;
use polars_plan::utils::expr_output_name;

use super::number::{Numbering, are_distinct, number};
use super::once::taken_apart;
use super::plain::{self, ByGroup};
use super::states::{Kind, State, column, part};
use crate::frame::expr::{as_column, polars_failure};

/// One state: of rows, or of states that several partitions have made of a group.
pub(super) enum Work<'a> {
    Rows(&'a State),
    States(&'a State),
}

/// Groups in order of first appearance, the keys and the states of each; `None` for keys and states that this is not made for,
/// and for no rows.
pub(super) fn aggregate(frame: &DataFrame, keys: &[Expr], work: &[Work<'_>]) -> Result<Option<DataFrame>, Failure> {
    if keys.is_empty() || frame.height() == 0 {
        return Ok(None);
    }
    grouped(frame, keys, work).map_err(|e| polars_failure(e, None))
}

fn grouped(frame: &DataFrame, keys: &[Expr], work: &[Work<'_>]) -> PolarsResult<Option<DataFrame>> {
    let supported = |work: &Work<'_>| match work {
        Work::Rows(state) | Work::States(state) => {
            !matches!(state.kind, Kind::Min(true) | Kind::Max(true) | Kind::Product | Kind::Any(_) | Kind::All(_) | Kind::Values)
        }
    };
    if !work.iter().all(supported) {
        return Ok(None);
    }
    let inputs: Vec<Option<Expr>> = work.iter().enumerate().map(|(index, work)| input(index, work)).collect();
    let columns = evaluated(frame, keys.iter().chain(inputs.iter().flatten()))?;
    let (key_columns, values) = columns.split_at(keys.len());
    let Some(inputs_of) = with_inputs(work, &inputs, values) else { return Ok(None) };
    // What is combined later anyway need not be grouped here when there is next to nothing to group. Without a state nothing says whether
    // it is.
    let singly = !work.is_empty() && work.iter().all(|work| matches!(work, Work::Rows(_))) && are_distinct(key_columns);
    let numbering = if singly { Some(Numbering::of_single_rows(frame.height())) } else { number(key_columns) };
    let Some(numbering) = numbering else { return Ok(None) };
    let groups = ByGroup::new(&numbering.of_row, numbering.first.len());
    // Rows that are groups of their own stand where their groups will.
    let distinct = groups.count == frame.height();
    let first = IdxCa::from_vec(PlSmallStr::EMPTY, numbering.first);
    let mut out = Vec::with_capacity(keys.len() + work.len());
    for (key, values) in keys.iter().zip(key_columns) {
        let values = if distinct { values.clone() } else { values.take(&first)? };
        out.push(values.with_name(expr_output_name(key)?));
    }
    for (index, work, value) in inputs_of {
        match (work, value) {
            (Work::Rows(State { kind: Kind::Moments, .. }), Some(value)) => three(&mut out, index, plain::moments(value, &groups)?),
            (Work::States(State { kind: Kind::Moments, .. }), _) => {
                let [n, m, s] = ["n", "m", "s"].map(|which| frame.column(&part(index, which)));
                let [n, m, s] = [n?, m?, s?].map(|column| column.as_materialized_series());
                three(&mut out, index, plain::merged_moments(n, m, s, &groups)?);
            }
            (work, value) => {
                let state = match value {
                    None => Some(plain::lens(&groups)),
                    Some(value) if distinct && is_itself(kind(work), value) => Some(value.clone()),
                    Some(value) => plain::state(kind(work), value, &groups)?,
                };
                let Some(state) = state else { return Ok(None) };
                out.push(state.with_name(column(index).into()).into_column());
            }
        }
    }
    DataFrame::new(groups.count, out).map(Some)
}

/// Each piece of work with its number and the values it reads; `None` if there is one that cannot be done here.
fn with_inputs<'a>(
    work: &'a [Work<'a>],
    inputs: &[Option<Expr>],
    values: &'a [Column],
) -> Option<Vec<(usize, &'a Work<'a>, Option<&'a Series>)>> {
    let mut values = values.iter();
    let with_input = |((index, work), input): ((usize, &'a Work<'a>), &Option<Expr>)| {
        let value = input.as_ref().map(|_| values.next().expect("one column for each input").as_materialized_series());
        value.is_none_or(|value| plain::suits(kind(work), value.dtype())).then_some((index, work, value))
    };
    work.iter().enumerate().zip(inputs).map(with_input).collect()
}

/// Whether the state of one row is its value.
fn is_itself(kind: Kind, value: &Series) -> bool {
    match kind {
        Kind::Sum => value.null_count() == 0 && matches!(value.dtype(), DataType::Int64 | DataType::UInt64 | DataType::Float64),
        Kind::FloatSum => value.null_count() == 0 && *value.dtype() == DataType::Float64,
        Kind::Min(_) | Kind::Max(_) | Kind::First | Kind::Last | Kind::FirstValue | Kind::LastValue => true,
        _ => false,
    }
}

fn three(out: &mut Vec<Column>, index: usize, moments: [Series; 3]) {
    out.extend(["n", "m", "s"].into_iter().zip(moments).map(|(which, series)| series.with_name(part(index, which).into()).into_column()));
}

/// What is done with the input: states that count or add up are added up when they are combined.
fn kind(work: &Work<'_>) -> Kind {
    match work {
        Work::Rows(state) => state.kind,
        Work::States(state) => match state.kind {
            Kind::FloatSum | Kind::Count | Kind::NullCount | Kind::Len => Kind::Sum,
            kind => kind,
        },
    }
}

/// The column that a state is of, if it is of one.
fn input(index: usize, work: &Work<'_>) -> Option<Expr> {
    match work {
        Work::Rows(State { kind: Kind::Len, .. }) | Work::States(State { kind: Kind::Moments, .. }) => None,
        Work::Rows(state) => Some(state.input.clone()),
        Work::States(_) => Some(col(column(index))),
    }
}

/// The values of expressions, each in one piece; plain columns cost nothing.
pub(super) fn evaluated<'a>(frame: &DataFrame, exprs: impl Iterator<Item = &'a Expr>) -> PolarsResult<Vec<Column>> {
    let exprs: Vec<&Expr> = exprs.collect();
    let computed: Vec<Expr> = exprs
        .iter()
        .enumerate()
        .filter(|(_, expr)| as_column(expr).is_none())
        .map(|(index, expr)| (*expr).clone().alias(column(index)))
        .collect();
    let extra = match computed.is_empty() {
        true => None,
        false => {
            let (parts, computed) = taken_apart(computed);
            let with_parts = parts.into_iter().fold(frame.clone().lazy(), |frame, part| frame.with_columns([part]));
            Some(with_parts.select(computed).collect()?)
        }
    };
    let one = |(index, expr): (usize, &&Expr)| {
        let values = match (as_column(expr), &extra) {
            (Some(name), _) => frame.column(name)?,
            (None, Some(extra)) => extra.column(&column(index))?,
            (None, None) => unreachable!("what is no column was computed"),
        };
        Ok(values.rechunk().with_name(expr_output_name(expr)?))
    };
    exprs.iter().enumerate().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As many groups as rows, by the way for rows that are groups of their own and by the one for all.
    #[test]
    fn distinct_rows_as_all_others() {
        let frame = df!(
            "k" => [3i64, 1, 2],
            "x" => [Some(1i64), None, Some(3)],
            "f" => [0.5, f64::NAN, -1.5],
            "t" => [Some("a"), Some("b"), None],
            "s" => [1i32, 2, 3],
        );
        let frame = frame.expect("columns of one length");
        let twice = frame.vstack(&frame.clear()).and_then(|frame| frame.vstack(&frame)).expect("the same columns");
        let kinds = [Kind::Sum, Kind::FloatSum, Kind::Min(false), Kind::Max(false), Kind::First, Kind::LastValue, Kind::Count];
        for (kind, name) in kinds.into_iter().flat_map(|kind| ["x", "f", "t", "s"].map(|name| (kind, name))) {
            let state = State { kind, input: col(name) };
            if !plain::suits(kind, frame.column(name).expect("a column").dtype()) {
                continue;
            }
            let of = |frame: &DataFrame| aggregate(frame, &[col("k")], &[Work::Rows(&state)]).expect("columns").expect("plain states");
            let (once, both) = (of(&frame), of(&twice));
            assert_eq!(once.dtypes(), both.dtypes(), "{kind:?} of {name}");
            if !matches!(kind, Kind::Sum | Kind::FloatSum | Kind::Count) {
                assert!(once.equals_missing(&both), "{kind:?} of {name}: {once} {both}");
            } else {
                let doubled = once.clone().lazy().select([col("k"), col(column(0)) + col(column(0))]).collect().expect("numbers");
                assert!(doubled.equals_missing(&both), "{kind:?} of {name}: {doubled} {both}");
            }
        }
    }

    /// Of keys alone nothing says whether they are rows or groups of several partitions, so equal ones are always one.
    #[test]
    fn keys_without_states_are_grouped() {
        let frame = df!("k" => (0..200_000i64).map(|row| row % 199_000).collect::<Vec<_>>()).expect("one column");
        let groups = aggregate(&frame, &[col("k")], &[]).expect("a column").expect("whole numbers are numbered");
        assert_eq!(groups.height(), 199_000);
    }
}
