//! Tests of how `fit` and `predict` choose the columns of tables, and the indices of svmlight text.

use super::{refusal, softmax, success, words};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// A table whose label is not last, with a column that is no feature.
const TRAIN: &str = "id,length,kind,width\n\
    a1,1,red,5\na2,2,red,4\na3,5,blue,1\na4,6,blue,2\na5,1.5,red,4.5\na6,5.5,blue,1.5\n";

const FIT: &str = "fit --data train.csv --label-column kind --drop-columns id --l2 1e-2 --out m.safetensors";

fn folder_with(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn predicted(data: &str, folder: &Path) -> String {
    success(&words(&format!("predict --model m.safetensors --data {data} --out p.csv")), folder);
    fs::read_to_string(folder.join("p.csv")).unwrap()
}

#[test]
fn fit_says_which_column_holds_the_labels_and_which_classes_it_found() {
    let folder = folder_with(&[("train.csv", TRAIN)]);
    let said = success(&words(FIT), folder.path());
    assert!(said.contains("train.csv: 6×2×2, f32"), "{said}");
    assert!(said.contains("\nclasses: blue (3), red (3); labels from column kind\n"), "{said}");
    let digits = success(&words("fit --out d.safetensors"), folder.path());
    assert!(digits.contains("\nclasses: 0 (178), 1 (182), "), "{digits}");
}

#[test]
fn held_out_samples_are_not_counted_among_the_classes() {
    let folder = folder_with(&[("train.csv", TRAIN)]);
    let said = success(&words(&format!("{FIT} --validation 0.5 --seed 1")), folder.path());
    let counts = said.split(['(', ')']).skip(1).step_by(2).take(2);
    assert_eq!(counts.map(|count| count.parse::<usize>().unwrap()).sum::<usize>(), 3, "{said}");
}

#[test]
fn columns_to_drop_are_counted_from_the_end_too() {
    let folder = folder_with(&[("train.csv", "1,7,0,a\n2,8,0,b\n")]);
    let args = words("fit --data train.csv --drop-columns -3,-2 --out m.safetensors");
    let said = success(&args, folder.path());
    assert!(said.contains("train.csv: 2×1×2, f32"), "{said}");
    assert!(said.contains("labels from column 1, counted from 0 without the dropped columns"), "{said}");
}

#[test]
fn without_a_class_nothing_is_fitted() {
    let folder = folder_with(&[("ignored.csv", "1,-1\n2,-1\n")]);
    let args = words("fit --data ignored.csv --ignore-index -1 --out m.safetensors");
    assert_eq!(
        refusal(&args, folder.path()),
        "softmax: ignored.csv: y: expected at least one sample with a class, found ignored samples alone\n"
    );
}

#[test]
fn features_of_a_table_are_found_by_name() {
    let folder = folder_with(&[
        ("train.csv", TRAIN),
        ("other.csv", "width,note,Kind,length\n5,small,red,1\n1,large,blue,5\n"),
        ("new.csv", "width,length\n5,1\n1,5\n"),
        ("numbers.csv", "1,5\n5,1\n"),
        ("less.csv", "length,kind\n1,red\n"),
        ("comma.csv", "length,\"height, cm\"\n1,5\n"),
        ("twice.csv", "length,width,length\n1,5,2\n"),
        // The label is where the training table has it, without the column that was dropped there.
        ("labelled.csv", "1,red,5\n5,blue,1\n"),
    ]);
    success(&words(FIT), folder.path());
    for file in ["other.csv", "new.csv", "numbers.csv", "labelled.csv"] {
        assert_eq!(predicted(file, folder.path()), "predicted\nred\nblue\n", "{file}");
    }
    let args = words("predict --model m.safetensors --data other.csv --out p.csv");
    assert!(success(&args, folder.path()).contains("other.csv: 2 of 2 right"));
    let line = refusal(&words("predict --model m.safetensors --data less.csv --out q.csv"), folder.path());
    assert!(
        line.ends_with("expected a column width, a feature of the model, found 2 columns: length, kind\n"),
        "{line}"
    );
    let line = refusal(&words("predict --model m.safetensors --data comma.csv --out q.csv"), folder.path());
    assert!(line.ends_with("found 2 columns: length, \"height, cm\"\n"), "{line}");
    let line = refusal(&words("predict --model m.safetensors --data twice.csv --out q.csv"), folder.path());
    assert!(line.ends_with("column length: expected one column of this name, found 2\n"), "{line}");
    let validated = |file: &str| format!("{FIT} --validation {file}");
    let said = success(&words(&validated("other.csv")), folder.path());
    assert!(said.contains("accuracy in validation: 2 of 2 right, 100.00%"), "{said}");
    let line = refusal(&words(&validated("new.csv")), folder.path());
    assert!(line.contains("--label-column: expected one of 2 columns: width, length, found kind"), "{line}");
}

#[test]
fn a_header_of_numbers_is_named() {
    let folder = folder_with(&[
        ("years.csv", "2001,2002,y\n1,5,0\n5,1,1\n"),
        ("swapped.csv", "2002,2001\n5,1\n1,5\n"),
    ]);
    let fit = "fit --data years.csv --l2 1e-2 --out m.safetensors";
    let line = refusal(&words(fit), folder.path());
    assert!(line.ends_with("found 0; --header says that the first line is a header\n"), "{line}");
    success(&words(&format!("{fit} --header")), folder.path());
    assert_eq!(predicted("swapped.csv --header", folder.path()), "predicted\n0\n1\n");
}

#[test]
fn some_labels_or_all_may_be_missing_in_samples_to_classify() {
    let folder = folder_with(&[
        ("train.csv", TRAIN),
        ("some.csv", "length,width,kind\n1,5,\n1,5,blue\n5,1,blue\n"),
        ("none.csv", "length,width,kind\n1,5,\n"),
        ("train.svm", "0 1:1 2:5\n1 1:5 2:1\n"),
        ("some.svm", "1:1 2:5\n1 1:5 2:1\n"),
        ("none.svm", "1:1 2:5\n1:5 2:1\n"),
        ("word.svm", "? 1:1 2:5\nNA\n1 1:5 2:1\n"),
    ]);
    success(&words(FIT), folder.path());
    let says = |data: &str| {
        success(&words(&format!("predict --model m.safetensors --data {data} --out p.csv")), folder.path())
    };
    assert_eq!(says("some.csv"), "some.csv: 1 of 2 right, 50.00%\np.csv: 3 predictions\n");
    assert_eq!(says("none.csv"), "p.csv: 1 prediction\n");
    success(&words("fit --data train.svm --l2 1e-2 --out m.safetensors"), folder.path());
    assert_eq!(says("some.svm"), "some.svm: 1 of 1 right, 100.00%\np.csv: 2 predictions\n");
    assert_eq!(says("none.svm"), "p.csv: 2 predictions\n");
    assert_eq!(says("word.svm"), "word.svm: 1 of 1 right, 100.00%\np.csv: 3 predictions\n");
    let line = refusal(&words("fit --data none.svm --out n.safetensors"), folder.path());
    assert!(line.contains("line 1: expected an integer label"), "{line}");
}

#[test]
fn a_model_keeps_the_first_index_of_svmlight_text() {
    let folder = folder_with(&[
        ("zero.svm", "0 0:1 1:5\n1 0:5 1:1\n"),
        // Without an index 0 it would be read as indices from 1.
        ("rest.svm", "0 1:5\n1 1:-5\n"),
        ("one.svm", "0 1:1 2:5\n1 1:5 2:1\n"),
    ]);
    success(&words("fit --data zero.svm --l2 1e-2 --out m.safetensors"), folder.path());
    assert_eq!(predicted("rest.svm", folder.path()), "predicted\n0\n1\n");
    success(&words("fit --data one.svm --l2 1e-2 --out m.safetensors"), folder.path());
    let line = refusal(&words("predict --model m.safetensors --data zero.svm --out p.csv"), folder.path());
    assert!(line.contains("expected indices from 1, as in the model's training file, found 0:1"), "{line}");
}

#[test]
fn labels_of_a_table_may_be_minus_and_plus_one() {
    let folder = folder_with(&[("two.csv", "1,5,-1\n5,1,1\n")]);
    success(&words("fit --data two.csv --l2 1e-2 --out m.safetensors"), folder.path());
    assert_eq!(predicted("two.csv", folder.path()), "predicted\n-1\n1\n");
}

#[test]
fn doubtful_labels_are_trained_on_with_a_warning() {
    let folder = folder_with(&[
        ("from-one.csv", "1,5,1\n5,1,2\n"),
        ("gap.csv", "1,5,0\n5,1,3\n"),
        ("single.csv", "1,5,0\n5,1,0\n"),
    ]);
    for (file, warning) in [
        (
            "from-one.csv",
            "no sample has the class 0: class numbers start at 0, and labels seem to start at 1",
        ),
        ("gap.csv", "2 of 4 classes have no sample"),
        ("single.csv", "all samples have the class 0"),
    ] {
        let run = softmax(&words(&format!("fit --data {file} --l2 1e-2 --out m.safetensors")), folder.path());
        assert_eq!((run.code, run.err.as_str()), (Some(0), &*format!("softmax: {file}: {warning}\n")));
    }
}

#[test]
fn mistakes_about_columns_name_the_flag_that_mends_them() {
    let folder = folder_with(&[
        ("train.csv", TRAIN),
        ("gap.csv", "a,b,y\n1,,0\n"),
        ("comma.csv", "a;b;y\n1,5;2;0\n"),
        ("half.csv", "1,b,2\n3,4,0\n"),
        ("infinite.csv", "a,b,y\n1,inf,0\n"),
    ]);
    for (args, expected) in [
        (
            "--data train.csv --label-column kind",
            "column id: expected a finite number, found a1; --label-column names the column of labels, and --drop-columns trains without a column",
        ),
        (
            "--data gap.csv",
            "line 2, column b: expected a finite number, found nothing; fill in what is missing, or train without the column by --drop-columns",
        ),
        (
            "--data comma.csv",
            "column a: expected a finite number, found 1,5; decimals have a point here, not a comma",
        ),
        (
            "--data half.csv",
            "line 1, column 1: expected a finite number, found b; --header says that this line is a header",
        ),
        ("--data infinite.csv", "found inf; --drop-columns trains without the column"),
        (
            "--data train.csv --drop-columns id,kin",
            "--drop-columns: expected some of 4 columns: id, length, kind, width, found kin",
        ),
        (
            "--data train.csv --label-column kind --drop-columns id,kind",
            "--drop-columns: expected columns beside the labels, found kind; --label-column names another",
        ),
    ] {
        let line = refusal(&words(&format!("fit {args} --out m.safetensors")), folder.path());
        assert!(line.contains(expected), "{args}: {line}");
    }
}

/// A table whose classes are told apart by the column f alone.
fn rows(header: &str, row: impl Fn(usize, i32, i32) -> String) -> String {
    let rows = (0..12).map(|i| (i, i as i32 % 2)).map(|(i, label)| row(i, label, 10 * label - 5) + "\n");
    format!("{header}\n") + &rows.collect::<String>()
}

/// The predictions for such a table, if they are right.
const RIGHT: &str = "predicted\n0\n1\n0\n1\n0\n1\n0\n1\n0\n1\n0\n1\n";

#[test]
fn names_that_occur_twice_choose_no_column_silently() {
    let twice = rows("y,a,y", |i, label, f| format!("{label},{i},{f}"));
    let features = rows("a,a,f,label", |i, label, f| format!("{i},-{i},{f},{label}"));
    let folder = folder_with(&[("twice.csv", &twice), ("features.csv", &features)]);
    for file in ["twice.csv", "features.csv"] {
        let run = softmax(&words(&format!("fit --data {file} --l2 1e-2 --out m.safetensors")), folder.path());
        let doubt = "names of columns occur twice: predict will find features by position";
        assert_eq!((run.code, run.err), (Some(0), format!("softmax: {file}: {doubt}\n")));
        assert_eq!(predicted(file, folder.path()), RIGHT, "{file}");
    }
    for args in ["--data twice.csv --label-column y", "--data features.csv --drop-columns a"] {
        let line = refusal(&words(&format!("fit {args} --out n.safetensors")), folder.path());
        assert!(line.ends_with(": expected one column of this name, found 2\n"), "{args}: {line}");
    }
}

#[test]
fn a_name_in_its_own_case_comes_first() {
    let text = rows("Y,f,y", |i, label, f| format!("{},{f},{label}", i % 3));
    let folder = folder_with(&[("cases.csv", &text)]);
    let said = success(&words("fit --data cases.csv --label-column y --out m.safetensors"), folder.path());
    assert!(said.contains("classes: 0 (6), 1 (6); labels from column y"), "{said}");
}

#[test]
fn a_header_of_numbers_is_known_by_its_model_and_doubted_by_a_fit() {
    let labelled = rows("0,1,label", |i, label, f| format!("{i},{f},{label}"));
    let swapped = rows("1,0", |i, _, f| format!("{f},{i}"));
    let named = rows("2019,2020,kind", |i, label, f| format!("{i},{f},{}", ["red", "blue"][label as usize]));
    let folder = folder_with(&[("n.csv", &labelled), ("swapped.csv", &swapped), ("named.csv", &named)]);
    success(&words("fit --data n.csv --header --l2 1e-2 --out m.safetensors"), folder.path());
    assert_eq!(predicted("swapped.csv", folder.path()), RIGHT);
    let run = softmax(&words("fit --data named.csv --l2 1e-2 --out n.safetensors"), folder.path());
    let doubt = "only the first line has the label kind: --header says that this line is a header";
    assert_eq!((run.code, run.err), (Some(0), format!("softmax: named.csv: {doubt}\n")));
}

#[test]
fn fit_warns_of_what_is_probably_a_mistake() {
    let folder = folder_with(&[
        ("small.csv", "2019,2020,Label\n1,2,a\n3,4,b\n4,5,a\n"),
        ("missing.csv", "h,w,label\n1,2,a\n3,4,NA\n4,5,b\n1,1,NA\n"),
        ("index.csv", &rows(",f,label", |i, label, f| format!("{i},{f},{label}"))),
    ]);
    for (file, doubt) in [
        ("small.csv", "only the first line has the label Label: --header says that this line is a header"),
        ("missing.csv", "NA is a class here, but means no label in predict"),
        (
            "index.csv",
            "a column without a name is a feature: if it numbers the rows, --drop-columns leaves it out by its position",
        ),
    ] {
        let run = softmax(&words(&format!("fit --data {file} --l2 1e-2 --out m.safetensors")), folder.path());
        assert_eq!((run.code, run.err), (Some(0), format!("softmax: {file}: {doubt}\n")));
    }
    let said = success(&words("fit --data index.csv --drop-columns 0 --out m.safetensors"), folder.path());
    assert!(said.contains("index.csv: 12×1×2, f32"), "{said}");
}

#[test]
fn a_column_without_a_name_is_named_by_its_index() {
    let folder = folder_with(&[("trailing.csv", "a,b,label,\n1,2,x,\n3,4,y,\n")]);
    let args = words("fit --data trailing.csv --label-column label --out m.safetensors");
    let line = refusal(&args, folder.path());
    assert!(line.contains("line 2, column 3: expected a finite number, found nothing"), "{line}");
}

#[test]
fn flags_of_tables_are_refused_for_other_formats() {
    let folder = folder_with(&[("s.svm", "0 1:1\n1 2:1\n")]);
    for flag in ["--label-column 0", "--drop-columns 0", "--header"] {
        let args = format!("fit --data s.svm {flag} --out m.safetensors");
        let line = refusal(&words(&args), folder.path());
        let name = flag.split(' ').next().unwrap();
        assert_eq!(line, format!("softmax: {name}: expected a table, found s.svm, read as svmlight\n"));
    }
}

#[test]
fn the_ignored_label_is_that_of_the_file_or_the_class_of_the_model() {
    let signs = rows("f,label", |_, label, f| format!("{f},{}", 2 * label - 1));
    let names = |skip: usize| {
        let row = move |i: usize| format!("{},{}\n", i % 3, ["ant", "bee", "cat"][i % 3]);
        "f,label\n".to_owned() + &(0..12).filter(|i| i % 3 >= skip).map(row).collect::<String>()
    };
    let folder = folder_with(&[("s.csv", &signs), ("t.csv", &names(0)), ("less.csv", &names(1))]);
    let fit =
        |args: &str| success(&words(&format!("fit {args} --l2 1e-2 --out m.safetensors")), folder.path());
    assert!(fit("--data s.csv --ignore-index -100").contains("12 of 12 right"));
    let run = softmax(&words("fit --data s.csv --ignore-index -1 --out m.safetensors"), folder.path());
    assert!(
        run.out.contains("6 of 6 right") && run.err.contains("all samples have the class 1"),
        "{}",
        run.err
    );
    assert!(fit("--data t.csv --ignore-index 0").contains("classes: ant (ignored), bee (4), cat (4)"));
    let said = success(&words("predict --model m.safetensors --data less.csv --out p.csv"), folder.path());
    assert!(said.starts_with("less.csv: 8 of 8 right"), "{said}");
}

#[test]
fn labels_of_another_file_are_one_for_each_sample() {
    let folder = folder_with(&[("x.csv", &rows("a,f", |i, _, f| format!("{i},{f}")))]);
    for count in [3, 13] {
        let labels = ndarray::Array1::from_iter((0..count).map(|k: i64| k % 2));
        ndarray_npy::write_npy(folder.path().join("y.npy"), &labels).unwrap();
        let line = refusal(&words("fit --data x.csv --labels y.npy --out m.safetensors"), folder.path());
        assert!(
            line.contains(&format!("x.csv: y: expected one for each of 12 samples, found {count}")),
            "{line}"
        );
    }
}

#[test]
fn the_label_of_other_tables_is_found_as_training_had_it() {
    let train = rows("a,f,target,lab", |i, label, f| format!("{i},{f},{i}.25,{label}"));
    let sibling = rows("target,f,a", |i, _, f| format!("{i}.25,{f},{i}"));
    let moved = rows("lab,f,a", |i, label, f| format!("{label},{f},{}", i / 2 % 2));
    let folder = folder_with(&[("train.csv", &train), ("sibling.csv", &sibling), ("moved.csv", &moved)]);
    let fit = "fit --data train.csv --drop-columns target --l2 1e-2 --out m.safetensors";
    // A table of the same columns without a header: columns to drop are positions in both.
    let rest = train.split_once('\n').unwrap().1;
    fs::write(folder.path().join("rest.csv"), rest).unwrap();
    let by_position = "fit --data train.csv --drop-columns 2 --label-column -1 --l2 1e-2 --validation rest.csv --out n.safetensors";
    let said = success(&words(by_position), folder.path());
    assert!(said.contains("accuracy in validation: 12 of 12 right"), "{said}");
    let said = success(&words(&format!("{fit} --label-column -1 --validation moved.csv")), folder.path());
    assert!(said.contains("accuracy in validation: 12 of 12 right"), "{said}");
    assert_eq!(predicted("sibling.csv", folder.path()), RIGHT);
    let args = "predict --model m.safetensors --data sibling.csv --label-column a --out q.csv";
    let line = refusal(&words(args), folder.path());
    assert!(
        line.contains("--label-column: expected a column that is no feature of the model, found a"),
        "{line}"
    );
    let args = "predict --model m.safetensors --data sibling.csv --drop-columns a --out q.csv";
    let line = refusal(&words(args), folder.path());
    assert!(
        line.contains("--drop-columns: expected columns that are no features of the model, found a"),
        "{line}"
    );
}

#[test]
fn the_delimiter_is_that_of_the_first_line_with_text_outside_quotes() {
    let folder = folder_with(&[
        ("train.csv", TRAIN),
        ("blank.tsv", "\nlength\twidth\n1\t5\n5\t1\n"),
        ("quoted.csv", "\"length\",\"width\",\"a;b;c;d\"\n1,5,0\n5,1,0\n"),
    ]);
    success(&words(FIT), folder.path());
    for data in ["blank.tsv", "quoted.csv"] {
        assert_eq!(predicted(data, folder.path()), "predicted\nred\nblue\n", "{data}");
    }
}

#[test]
fn a_class_whose_samples_are_ignored_needs_no_weights() {
    let table = "1,5,cat\n2,4,cat\n5,1,dog\n6,2,dog\n3,3,unknown\n";
    let folder = folder_with(&[("train.csv", table)]);
    let fit = "fit --data train.csv --ignore-index 2 --l2 1e-2 --out m.safetensors";
    assert!(success(&words(fit), folder.path()).contains("train.csv: 5×2×2, f32"));
    let predict = "predict --model m.safetensors --data train.csv --out p.csv";
    let said = success(&words(predict), folder.path());
    assert_eq!(said, "train.csv: 4 of 4 right, 100.00%\np.csv: 5 predictions\n");
}

#[test]
fn a_number_as_a_name_is_that_class_of_a_model_without_names() {
    let folder = folder_with(&[("train.csv", "1,5,0\n2,4,0\n5,1,1\n"), ("signs.csv", "1,5,-1\n5,1,1\n")]);
    success(&words("fit --data train.csv --l2 1e-2 --out m.safetensors"), folder.path());
    let run = softmax(&words("predict --model m.safetensors --data signs.csv --out p.csv"), folder.path());
    assert_eq!(run.out, "signs.csv: 1 of 2 right, 50.00%\np.csv: 2 predictions\n");
    assert_eq!(run.err, "softmax: signs.csv: the label -1 is no class of the model, and counts as wrong\n");
}

#[test]
fn labels_that_the_model_does_not_have_count_as_wrong() {
    let test = "length,width,kind\n1,5,red\n5,1,green\n5,1,violet\n6,2,blue\n2,4,green\n";
    let folder = folder_with(&[("train.csv", TRAIN), ("test.csv", test)]);
    let doubt =
        "softmax: test.csv: the label green and 1 more are no classes of the model, and count as wrong\n";
    let run = softmax(&words(&format!("{FIT} --validation test.csv")), folder.path());
    assert_eq!((run.code, run.err.as_str()), (Some(0), doubt));
    assert!(run.out.contains("\naccuracy in validation: 2 of 5 right, 40.00%\n"), "{}", run.out);
    let args = "predict --model m.safetensors --data test.csv --probabilities --out p.csv";
    let run = softmax(&words(args), folder.path());
    assert_eq!((run.code, run.err.as_str()), (Some(0), doubt));
    assert!(run.out.starts_with("test.csv: 2 of 5 right, 40.00%\n"), "{}", run.out);
    let table = fs::read_to_string(folder.path().join("p.csv")).unwrap();
    let (header, first) = (table.lines().next().unwrap(), table.lines().nth(1).unwrap());
    assert_eq!(header, "predicted,prob_blue,prob_red");
    let fields: Vec<&str> = first.split(',').collect();
    let p: Vec<f64> = fields[1..].iter().map(|p| p.parse().unwrap()).collect();
    assert!(fields[0] == "red" && p[1] > 0.9 && (p[0] + p[1] - 1.0).abs() < 1e-6, "{first}");
}
