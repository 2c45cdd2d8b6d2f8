//! Stores that keep the records of a fleet in another way than `Table` answer alike.

mod common;

use breakerbox_fleet::store::Table;
use common::cas::CasTable;
use common::compare::Comparison;
use common::steps::START;

#[test]
fn compare_and_swap_store_answers_like_table() {
    for seed in 0..300 {
        let (mut table, mut cas) = (Table::default(), CasTable::default());
        let compared = Comparison::new(vec![&mut table, &mut cas], START).run_random(seed, 150);
        compared.unwrap_or_else(|difference| panic!("{difference}"));
    }
}
