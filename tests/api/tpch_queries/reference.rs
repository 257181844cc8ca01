//! The 22 queries as loops over the rows that the generator makes: exact in cents, one step after the other, as the specification words them.
//!
//! It refuses to know frames and files, so that it shares nothing with what it is compared with but the generator.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use tpchgen::dates::TPCHDate;
use tpchgen::generators::{
    Customer, CustomerGenerator, LineItem, LineItemGenerator, Nation, NationGenerator, Order, OrderGenerator, Part, PartGenerator,
    PartSupp, PartSuppGenerator, RegionGenerator, Supplier, SupplierGenerator,
};

#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Text(String),
    Int(i64),
    Float(f64),
}

pub type Rows = Vec<Vec<Cell>>;

pub const ALL: [fn(&Data) -> Rows; 22] =
    [q01, q02, q03, q04, q05, q06, q07, q08, q09, q10, q11, q12, q13, q14, q15, q16, q17, q18, q19, q20, q21, q22];

/// All rows, in memory.
pub struct Data {
    scale: f64,
    lines: Vec<LineItem<'static>>,
    orders: HashMap<i64, Order<'static>>,
    customers: HashMap<i64, Customer<'static>>,
    parts: HashMap<i64, Part<'static>>,
    offers: Vec<PartSupp<'static>>,
    suppliers: HashMap<i64, Supplier>,
    nations: HashMap<i64, Nation<'static>>,
    regions: HashMap<i64, String>,
}

impl Data {
    pub fn new(scale: f64) -> Self {
        Self {
            scale,
            lines: LineItemGenerator::new(scale, 1, 1).iter().collect(),
            orders: OrderGenerator::new(scale, 1, 1).iter().map(|row| (row.o_orderkey, row)).collect(),
            customers: CustomerGenerator::new(scale, 1, 1).iter().map(|row| (row.c_custkey, row)).collect(),
            parts: PartGenerator::new(scale, 1, 1).iter().map(|row| (row.p_partkey, row)).collect(),
            offers: PartSuppGenerator::new(scale, 1, 1).iter().collect(),
            suppliers: SupplierGenerator::new(scale, 1, 1).iter().map(|row| (row.s_suppkey, row)).collect(),
            nations: NationGenerator::new(scale, 1, 1).iter().map(|row| (row.n_nationkey, row)).collect(),
            regions: RegionGenerator::new(scale, 1, 1).iter().map(|row| (row.r_regionkey, row.r_name.to_string())).collect(),
        }
    }

    fn order(&self, line: &LineItem<'_>) -> &Order<'static> {
        &self.orders[&line.l_orderkey]
    }

    fn customer(&self, order: &Order<'_>) -> &Customer<'static> {
        &self.customers[&order.o_custkey]
    }

    fn nation(&self, key: i64) -> &str {
        self.nations[&key].n_name
    }

    fn region(&self, nation: i64) -> &str {
        &self.regions[&self.nations[&nation].n_regionkey]
    }
}

fn text(value: impl ToString) -> Cell {
    Cell::Text(value.to_string())
}

fn int(value: impl TryInto<i64>) -> Cell {
    Cell::Int(value.try_into().unwrap_or(i64::MAX))
}

/// A whole number of units, of which `unit` make one.
fn float(value: i64, unit: f64) -> Cell {
    Cell::Float(value as f64 / unit)
}

/// Price after discount, in ten-thousandths.
fn volume(line: &LineItem<'_>) -> i64 {
    line.l_extendedprice.0 * (100 - line.l_discount.0)
}

const CENTS: f64 = 1e2;
const VOLUME: f64 = 1e4;

/// Whether a day is in `from..to`.
fn within(day: TPCHDate, from: &str, to: &str) -> bool {
    let day = day.to_string();
    day.as_str() >= from && day.as_str() < to
}

fn year(day: TPCHDate) -> i64 {
    day.to_string()[..4].parse().expect("a date begins with its year")
}

fn q01(data: &Data) -> Rows {
    let mut groups: BTreeMap<(&str, &str), [i64; 6]> = BTreeMap::new();
    for line in data.lines.iter().filter(|line| within(line.l_shipdate, "", "1998-09-03")) {
        let sums = groups.entry((line.l_returnflag, line.l_linestatus)).or_default();
        let charge = volume(line) * (100 + line.l_tax.0);
        let row = [line.l_quantity, line.l_extendedprice.0, volume(line), charge, line.l_discount.0, 1];
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    let row = |((flag, status), [quantity, price, volume, charge, discount, rows]): (&(&str, &str), &[i64; 6])| {
        let n = *rows as f64;
        vec![
            text(flag),
            text(status),
            float(*quantity, 1.0),
            float(*price, CENTS),
            float(*volume, VOLUME),
            float(*charge, 1e6),
            float(*quantity, n),
            float(*price, CENTS * n),
            float(*discount, CENTS * n),
            int(*rows),
        ]
    };
    groups.iter().map(row).collect()
}

fn q02(data: &Data) -> Rows {
    let european = |offer: &&PartSupp<'_>| data.region(data.suppliers[&offer.ps_suppkey].s_nationkey) == "EUROPE";
    let mut found = Vec::new();
    for offer in data.offers.iter().filter(european) {
        let part = &data.parts[&offer.ps_partkey];
        let least = data
            .offers
            .iter()
            .filter(|other| other.ps_partkey == offer.ps_partkey)
            .filter(european)
            .map(|other| other.ps_supplycost.0)
            .min();
        if part.p_size == 15 && part.p_type.ends_with("BRASS") && Some(offer.ps_supplycost.0) == least {
            let supplier = &data.suppliers[&offer.ps_suppkey];
            let name = (-supplier.s_acctbal.0, data.nation(supplier.s_nationkey), supplier.s_name.to_string(), part.p_partkey);
            found.push((name, supplier, part));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    let row = |((_, nation, name, key), supplier, part): &((i64, &str, String, i64), &Supplier, &Part<'_>)| {
        let about = [text(&supplier.s_address), text(&supplier.s_phone), text(&supplier.s_comment)];
        let mut row = vec![float(supplier.s_acctbal.0, CENTS), text(name), text(nation), int(*key), text(part.p_mfgr)];
        row.extend(about);
        row
    };
    found.iter().take(100).map(row).collect()
}

fn q03(data: &Data) -> Rows {
    let mut revenue: HashMap<i64, i64> = HashMap::new();
    for line in data.lines.iter().filter(|line| !within(line.l_shipdate, "", "1995-03-16")) {
        let order = data.order(line);
        if within(order.o_orderdate, "", "1995-03-15") && data.customer(order).c_mktsegment == "BUILDING" {
            *revenue.entry(line.l_orderkey).or_default() += volume(line);
        }
    }
    let mut found: Vec<_> = revenue.into_iter().map(|(key, revenue)| (-revenue, data.orders[&key].o_orderdate, key)).collect();
    found.sort();
    let row = |(revenue, day, key): &(i64, TPCHDate, i64)| {
        vec![int(*key), float(-revenue, VOLUME), text(day), int(data.orders[key].o_shippriority)]
    };
    found.iter().take(10).map(row).collect()
}

fn q04(data: &Data) -> Rows {
    let late: HashSet<i64> = data.lines.iter().filter(|line| line.l_commitdate < line.l_receiptdate).map(|line| line.l_orderkey).collect();
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    for order in data.orders.values().filter(|order| within(order.o_orderdate, "1993-07-01", "1993-10-01")) {
        if late.contains(&order.o_orderkey) {
            *counts.entry(order.o_orderpriority).or_default() += 1;
        }
    }
    counts.into_iter().map(|(priority, count)| vec![text(priority), int(count)]).collect()
}

fn q05(data: &Data) -> Rows {
    let mut revenue: HashMap<&str, i64> = HashMap::new();
    for line in &data.lines {
        let order = data.order(line);
        let nation = data.customer(order).c_nationkey;
        let own = data.suppliers[&line.l_suppkey].s_nationkey == nation;
        if own && data.region(nation) == "ASIA" && within(order.o_orderdate, "1994-01-01", "1995-01-01") {
            *revenue.entry(data.nation(nation)).or_default() += volume(line);
        }
    }
    greatest_first(revenue).into_iter().map(|(nation, revenue)| vec![text(nation), float(revenue, VOLUME)]).collect()
}

fn greatest_first<K: Ord>(sums: HashMap<K, i64>) -> Vec<(K, i64)> {
    let mut all: Vec<_> = sums.into_iter().collect();
    all.sort_by(|a, b| (-a.1, &a.0).cmp(&(-b.1, &b.0)));
    all
}

fn q06(data: &Data) -> Rows {
    let fits = |line: &&LineItem<'_>| {
        within(line.l_shipdate, "1994-01-01", "1995-01-01") && (5..=7).contains(&line.l_discount.0) && line.l_quantity < 24
    };
    let revenue = data.lines.iter().filter(fits).map(|line| line.l_extendedprice.0 * line.l_discount.0).sum();
    vec![vec![float(revenue, VOLUME)]]
}

fn q07(data: &Data) -> Rows {
    let mut revenue: BTreeMap<(&str, &str, i64), i64> = BTreeMap::new();
    for line in data.lines.iter().filter(|line| within(line.l_shipdate, "1995-01-01", "1997-01-01")) {
        let seller = data.nation(data.suppliers[&line.l_suppkey].s_nationkey);
        let buyer = data.nation(data.customer(data.order(line)).c_nationkey);
        if matches!((seller, buyer), ("FRANCE", "GERMANY") | ("GERMANY", "FRANCE")) {
            *revenue.entry((seller, buyer, year(line.l_shipdate))).or_default() += volume(line);
        }
    }
    revenue.into_iter().map(|((seller, buyer, year), sum)| vec![text(seller), text(buyer), int(year), float(sum, VOLUME)]).collect()
}

fn q08(data: &Data) -> Rows {
    let mut shares: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
    for line in &data.lines {
        let order = data.order(line);
        let american = data.region(data.customer(order).c_nationkey) == "AMERICA";
        let steel = data.parts[&line.l_partkey].p_type == "ECONOMY ANODIZED STEEL";
        if american && steel && within(order.o_orderdate, "1995-01-01", "1997-01-01") {
            let share = shares.entry(year(order.o_orderdate)).or_default();
            share.0 += if data.nation(data.suppliers[&line.l_suppkey].s_nationkey) == "BRAZIL" { volume(line) } else { 0 };
            share.1 += volume(line);
        }
    }
    shares.into_iter().map(|(year, (brazil, all))| vec![int(year), float(brazil, all as f64)]).collect()
}

fn q09(data: &Data) -> Rows {
    let costs: HashMap<(i64, i64), i64> =
        data.offers.iter().map(|offer| ((offer.ps_partkey, offer.ps_suppkey), offer.ps_supplycost.0)).collect();
    let mut profits: BTreeMap<(&str, i64), i64> = BTreeMap::new();
    for line in &data.lines {
        if data.parts[&line.l_partkey].p_name.to_string().contains("green") {
            let nation = data.nation(data.suppliers[&line.l_suppkey].s_nationkey);
            let cost = costs[&(line.l_partkey, line.l_suppkey)] * line.l_quantity * 100;
            *profits.entry((nation, -year(data.order(line).o_orderdate))).or_default() += volume(line) - cost;
        }
    }
    profits.into_iter().map(|((nation, year), profit)| vec![text(nation), int(-year), float(profit, VOLUME)]).collect()
}

fn q10(data: &Data) -> Rows {
    let mut lost: HashMap<i64, i64> = HashMap::new();
    for line in data.lines.iter().filter(|line| line.l_returnflag == "R") {
        let order = data.order(line);
        if within(order.o_orderdate, "1993-10-01", "1994-01-01") {
            *lost.entry(order.o_custkey).or_default() += volume(line);
        }
    }
    let row = |(key, revenue): (i64, i64)| {
        let customer = &data.customers[&key];
        let mut row = vec![int(key), text(customer.c_name), float(revenue, VOLUME), float(customer.c_acctbal.0, CENTS)];
        row.extend([text(data.nation(customer.c_nationkey)), text(&customer.c_address)]);
        row.extend([text(&customer.c_phone), text(customer.c_comment)]);
        row
    };
    greatest_first(lost).into_iter().take(20).map(row).collect()
}

fn q11(data: &Data) -> Rows {
    let mut values: HashMap<i64, i64> = HashMap::new();
    for offer in data.offers.iter().filter(|offer| data.nation(data.suppliers[&offer.ps_suppkey].s_nationkey) == "GERMANY") {
        *values.entry(offer.ps_partkey).or_default() += offer.ps_supplycost.0 * i64::from(offer.ps_availqty);
    }
    let total: i64 = values.values().sum();
    let share = total as f64 * 0.0001 / data.scale;
    let large = greatest_first(values).into_iter().filter(|(_, value)| *value as f64 > share);
    large.map(|(key, value)| vec![int(key), float(value, CENTS)]).collect()
}

fn q12(data: &Data) -> Rows {
    let mut counts: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    for line in data.lines.iter().filter(|line| matches!(line.l_shipmode, "MAIL" | "SHIP")) {
        let late = line.l_shipdate < line.l_commitdate && line.l_commitdate < line.l_receiptdate;
        if late && within(line.l_receiptdate, "1994-01-01", "1995-01-01") {
            let count = counts.entry(line.l_shipmode).or_default();
            match data.order(line).o_orderpriority {
                "1-URGENT" | "2-HIGH" => count.0 += 1,
                _ => count.1 += 1,
            }
        }
    }
    counts.into_iter().map(|(mode, (high, low))| vec![text(mode), int(high), int(low)]).collect()
}

fn q13(data: &Data) -> Rows {
    let mut counts: HashMap<i64, i64> = data.customers.keys().map(|key| (*key, 0)).collect();
    for order in data.orders.values() {
        let special = order.o_comment.split_once("special").is_some_and(|(_, after)| after.contains("requests"));
        if !special {
            *counts.entry(order.o_custkey).or_default() += 1;
        }
    }
    let mut customers: BTreeMap<i64, i64> = BTreeMap::new();
    counts.into_values().for_each(|count| *customers.entry(count).or_default() += 1);
    let mut rows: Vec<(i64, i64)> = customers.into_iter().map(|(count, customers)| (-customers, -count)).collect();
    rows.sort();
    rows.into_iter().map(|(customers, count)| vec![int(-count), int(-customers)]).collect()
}

fn q14(data: &Data) -> Rows {
    let (mut promoted, mut all) = (0, 0);
    for line in data.lines.iter().filter(|line| within(line.l_shipdate, "1995-09-01", "1995-10-01")) {
        promoted += if data.parts[&line.l_partkey].p_type.starts_with("PROMO") { volume(line) } else { 0 };
        all += volume(line);
    }
    vec![vec![float(100 * promoted, all as f64)]]
}

fn q15(data: &Data) -> Rows {
    let mut revenue: BTreeMap<i64, i64> = BTreeMap::new();
    for line in data.lines.iter().filter(|line| within(line.l_shipdate, "1996-01-01", "1996-04-01")) {
        *revenue.entry(line.l_suppkey).or_default() += volume(line);
    }
    let greatest = revenue.values().copied().max();
    let row = |(key, revenue): (i64, i64)| {
        let supplier = &data.suppliers[&key];
        vec![int(key), text(supplier.s_name), text(&supplier.s_address), text(&supplier.s_phone), float(revenue, VOLUME)]
    };
    revenue.into_iter().filter(|(_, revenue)| Some(*revenue) == greatest).map(row).collect()
}

fn q16(data: &Data) -> Rows {
    let mut suppliers: BTreeMap<(String, &str, i32), BTreeSet<i64>> = BTreeMap::new();
    for offer in &data.offers {
        let part = &data.parts[&offer.ps_partkey];
        let brand = part.p_brand.to_string();
        let of_size = [49, 14, 23, 45, 19, 3, 36, 9].contains(&part.p_size);
        let comment = &data.suppliers[&offer.ps_suppkey].s_comment;
        let complained = comment.split_once("Customer").is_some_and(|(_, after)| after.contains("Complaints"));
        if brand != "Brand#45" && !part.p_type.starts_with("MEDIUM POLISHED") && of_size && !complained {
            suppliers.entry((brand, part.p_type, part.p_size)).or_default().insert(offer.ps_suppkey);
        }
    }
    let counts = suppliers.into_iter().map(|(key, suppliers)| (key, suppliers.len() as i64)).collect();
    let row = |((brand, kind, size), count): ((String, &str, i32), i64)| vec![text(brand), text(kind), int(size), int(count)];
    greatest_first(counts).into_iter().map(row).collect()
}

fn q17(data: &Data) -> Rows {
    let fits = |line: &&LineItem<'_>| {
        let part = &data.parts[&line.l_partkey];
        part.p_brand.to_string() == "Brand#23" && part.p_container == "MED BOX"
    };
    let mut quantities: HashMap<i64, (i64, i64)> = HashMap::new();
    for line in &data.lines {
        let (sum, rows) = quantities.entry(line.l_partkey).or_default();
        (*sum, *rows) = (*sum + line.l_quantity, *rows + 1);
    }
    let small = |line: &&LineItem<'_>| {
        let (sum, rows) = quantities[&line.l_partkey];
        5 * line.l_quantity * rows < sum
    };
    let prices = data.lines.iter().filter(fits).filter(small).map(|line| line.l_extendedprice.0).sum();
    vec![vec![float(prices, 7.0 * CENTS)]]
}

fn q18(data: &Data) -> Rows {
    let mut quantities: HashMap<i64, i64> = HashMap::new();
    data.lines.iter().for_each(|line| *quantities.entry(line.l_orderkey).or_default() += line.l_quantity);
    let large = quantities.into_iter().filter(|(_, quantity)| *quantity > 300);
    let mut found: Vec<_> =
        large.map(|(key, quantity)| (-data.orders[&key].o_totalprice.0, data.orders[&key].o_orderdate, key, quantity)).collect();
    found.sort();
    let row = |(price, day, key, quantity): &(i64, TPCHDate, i64, i64)| {
        let customer = data.customer(&data.orders[key]);
        let mut row = vec![text(customer.c_name), int(customer.c_custkey), int(*key), text(day)];
        row.extend([float(-price, CENTS), float(*quantity, 1.0)]);
        row
    };
    found.iter().take(100).map(row).collect()
}

fn q19(data: &Data) -> Rows {
    let fits = |line: &&LineItem<'_>| {
        let part = &data.parts[&line.l_partkey];
        let (container, size, quantity) = (part.p_container, part.p_size, line.l_quantity);
        let fits = match part.p_brand.to_string().as_str() {
            "Brand#12" => {
                ["SM CASE", "SM BOX", "SM PACK", "SM PKG"].contains(&container) && (1..=5).contains(&size) && (1..=11).contains(&quantity)
            }
            "Brand#23" => {
                ["MED BAG", "MED BOX", "MED PKG", "MED PACK"].contains(&container)
                    && (1..=10).contains(&size)
                    && (10..=20).contains(&quantity)
            }
            "Brand#34" => {
                ["LG CASE", "LG BOX", "LG PACK", "LG PKG"].contains(&container) && (1..=15).contains(&size) && (20..=30).contains(&quantity)
            }
            _ => false,
        };
        fits && matches!(line.l_shipmode, "AIR" | "AIR REG") && line.l_shipinstruct == "DELIVER IN PERSON"
    };
    vec![vec![float(data.lines.iter().filter(fits).map(volume).sum(), VOLUME)]]
}

fn q20(data: &Data) -> Rows {
    let mut shipped: HashMap<(i64, i64), i64> = HashMap::new();
    for line in data.lines.iter().filter(|line| within(line.l_shipdate, "1994-01-01", "1995-01-01")) {
        *shipped.entry((line.l_partkey, line.l_suppkey)).or_default() += line.l_quantity;
    }
    let plenty = |offer: &&PartSupp<'_>| {
        let sold = shipped.get(&(offer.ps_partkey, offer.ps_suppkey));
        let forest = data.parts[&offer.ps_partkey].p_name.to_string().starts_with("forest");
        forest && sold.is_some_and(|sold| 2 * i64::from(offer.ps_availqty) > *sold)
    };
    let suppliers: HashSet<i64> = data.offers.iter().filter(plenty).map(|offer| offer.ps_suppkey).collect();
    let canadian = |supplier: &&Supplier| data.nation(supplier.s_nationkey) == "CANADA" && suppliers.contains(&supplier.s_suppkey);
    let names: BTreeMap<String, String> =
        data.suppliers.values().filter(canadian).map(|supplier| (supplier.s_name.to_string(), supplier.s_address.to_string())).collect();
    names.into_iter().map(|(name, address)| vec![text(name), text(address)]).collect()
}

fn q21(data: &Data) -> Rows {
    let late = |line: &&LineItem<'_>| line.l_receiptdate > line.l_commitdate;
    let mut all: HashMap<i64, HashSet<i64>> = HashMap::new();
    let mut tardy: HashMap<i64, HashSet<i64>> = HashMap::new();
    for line in &data.lines {
        all.entry(line.l_orderkey).or_default().insert(line.l_suppkey);
        if late(&line) {
            tardy.entry(line.l_orderkey).or_default().insert(line.l_suppkey);
        }
    }
    let mut waits: HashMap<String, i64> = HashMap::new();
    for line in data.lines.iter().filter(late) {
        let supplier = &data.suppliers[&line.l_suppkey];
        let alone = all[&line.l_orderkey].len() > 1 && tardy[&line.l_orderkey].len() == 1;
        if alone && data.order(line).o_orderstatus.as_str() == "F" && data.nation(supplier.s_nationkey) == "SAUDI ARABIA" {
            *waits.entry(supplier.s_name.to_string()).or_default() += 1;
        }
    }
    greatest_first(waits).into_iter().take(100).map(|(name, count)| vec![text(name), int(count)]).collect()
}

fn q22(data: &Data) -> Rows {
    let code = |customer: &Customer<'_>| customer.c_phone.to_string()[..2].to_string();
    let listed = |customer: &&Customer<'_>| ["13", "31", "23", "29", "30", "18", "17"].contains(&code(customer).as_str());
    let rich: Vec<i64> = data.customers.values().filter(listed).map(|customer| customer.c_acctbal.0).filter(|money| *money > 0).collect();
    let (total, rows) = (rich.iter().sum::<i64>(), rich.len() as i64);
    let buyers: HashSet<i64> = data.orders.values().map(|order| order.o_custkey).collect();
    let mut found: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for customer in data.customers.values().filter(listed) {
        if customer.c_acctbal.0 * rows > total && !buyers.contains(&customer.c_custkey) {
            let sums = found.entry(code(customer)).or_default();
            *sums = (sums.0 + 1, sums.1 + customer.c_acctbal.0);
        }
    }
    found.into_iter().map(|(code, (rows, money))| vec![text(code), int(rows), float(money, CENTS)]).collect()
}
