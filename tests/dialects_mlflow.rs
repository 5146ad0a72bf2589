//! MLflow's recorded spans come out in the current words.

mod support;

use support::translated::check_expected;

const EMITTERS: &[&str] = &["mlflow-3.17.2"];

#[test]
fn every_case_says_what_was_said() {
    check_expected("mlflow.txt", EMITTERS);
}
