//! Tests that malformed files, damaged or hostile, give exit code 2 and a one-line explanation, and take little memory.

use super::{refusal, save, success, words};
use flate2::{Compression, write::GzEncoder};
use ndarray::{Array1, Array2};
use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;
use wait4::Wait4;

/// The bytes of memory that a refusal must stay below.
const MEMORY: u64 = 200 << 20;

fn npy(header: &str, entries: &[u8]) -> Vec<u8> {
    let mut header = header.to_owned();
    while !(10 + header.len() + 1).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(entries);
    bytes
}

fn npy_of(shape: &str, kind: &str, entries: &[u8]) -> Vec<u8> {
    npy(&format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"), entries)
}

/// Writes `count` bytes in small pieces, to keep this process small: a child's peak memory is at least its parent's
/// size.
fn repeat(byte: u8, count: u64, mut writer: impl Write) {
    std::io::copy(&mut std::io::repeat(byte).take(count), &mut writer).unwrap();
}

/// A zip with one deflated member that ends with `zeros` zeros, and whose headers claim a size of `says` bytes.
fn zipped(name: &str, content: &[u8], zeros: u64, says: u32) -> Vec<u8> {
    let deflated = flate2::write::DeflateEncoder::new(Vec::new(), Compression::best());
    let mut crc = flate2::CrcWriter::new(deflated);
    crc.write_all(content).unwrap();
    repeat(0, zeros, &mut crc);
    let sum = crc.crc().sum();
    let deflated = crc.into_inner().finish().unwrap();
    let common = |bytes: &mut Vec<u8>| {
        bytes.extend([20, 0, 0, 0, 8, 0, 0, 0, 0, 0]);
        bytes.extend(sum.to_le_bytes());
        bytes.extend((deflated.len() as u32).to_le_bytes());
        bytes.extend(says.to_le_bytes());
        bytes.extend((name.len() as u16).to_le_bytes());
    };
    let mut bytes = b"PK\x03\x04".to_vec();
    common(&mut bytes);
    bytes.extend([0, 0]);
    bytes.extend(name.as_bytes());
    bytes.extend(&deflated);
    let directory = bytes.len() as u32;
    bytes.extend(b"PK\x01\x02\x14\x00");
    common(&mut bytes);
    bytes.extend([0; 16]);
    bytes.extend(name.as_bytes());
    let size = bytes.len() as u32 - directory;
    bytes.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    bytes.extend(size.to_le_bytes());
    bytes.extend(directory.to_le_bytes());
    bytes.extend([0, 0]);
    bytes
}

/// The gzip compression of `content` followed by `count` times `byte`.
fn gzipped(content: &[u8], byte: u8, count: u64) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).unwrap();
    repeat(byte, count, &mut encoder);
    encoder.finish().unwrap()
}

fn safetensors(header_length: u64, header: &str, data: &[u8]) -> Vec<u8> {
    [&header_length.to_le_bytes(), header.as_bytes(), data].concat()
}

/// A file, further arguments of the command, and what the one line must contain.
type Case = (&'static str, &'static str, &'static [&'static str]);

const CASES: &[Case] = &[
    ("empty.npz", "", &["npz"]),
    ("garbage.npz", "", &["npz"]),
    ("truncated.npz", "", &["npz"]),
    ("bomb.npz", "", &["X", "inflate"]),
    ("lying-bomb.npz", "", &["X"]),
    ("shape-overflow.npz", "", &["X"]),
    ("checksum.npz", "", &["X", "checksum"]),
    ("wide-nothing.npz", "--standardize", &["wide-nothing.npz", "memory"]),
    ("object.npz", "", &["X"]),
    ("labels-float.npz", "", &["y", "integers"]),
    ("labels-huge.npz", "", &["y", "2^63"]),
    ("labels-negative.npz", "", &["y", "-7 at row 1"]),
    ("labels-few.npz", "", &["y", "3 samples", "2"]),
    ("labels-few.npz", "--limit 1", &["y", "3 samples", "2"]),
    ("x.npy", "--labels y2.npy --limit 1", &["y", "3 samples", "2"]),
    ("two-idx3-ubyte", "--labels l-idx1-ubyte --limit 1", &["y", "2 samples", "3"]),
    ("nan.npz", "", &["X", "finite", "NaN", "row 1"]),
    ("no-labels.npz", "", &["y or Y", "only X"]),
    ("flat.npz", "", &["X", "2 axes", "1 axis"]),
    ("transposed.npz", "", &["W", "2 rows, one for each feature", "3 rows of 2", "transposed"]),
    ("wide.npz", "", &["wide.npz", "class"]),
    ("huge-class.npz", "", &["y", "class 1099511627776"]),
    ("short.npy", "--labels y.npy", &["array", "end of the file"]),
    ("enormous.npy", "--labels y.npy", &["array"]),
    ("magic.npy", "--labels y.npy", &["array"]),
    ("x.npy", "", &["labels", "--labels"]),
    ("ragged.csv", "", &["line 3", "4 fields", "3"]),
    ("word.csv", "", &["line 2, column 1", "finite number", "two"]),
    ("hole.csv", "", &["line 2, column b", "nothing"]),
    ("infinite.csv", "", &["line 2", "inf"]),
    ("beyond-f32.csv", "", &["line 1, column 1", "finite number of f32", "1e300; --dtype f64 holds it"]),
    ("beyond-f32.svm", "", &["line 1", "finite number of f32", "-1e300; --dtype f64 holds it"]),
    ("beyond-f32.npz", "", &["X at row 1, column 1", "finite number of f32", "1e300; --dtype f64 holds it"]),
    ("beyond-f64.csv", "--dtype f64", &["line 1, column 1: expected a finite number, found 1e400"]),
    ("letter.txt", "", &["line 1", "Dear", "read as svmlight, by its name; --data-format"]),
    ("letter.txt", "--data-format svmlight", &["expected an integer label, found Dear\n"]),
    ("escapes.csv", "", &["column red\\u{1b}[31m\\nnext: ", "found \\u{1b}]0;x\\u{7};"]),
    ("escapes.csv", "--label-column none", &["3 columns: red\\u{1b}[31m\\nnext, b, c, found none\n"]),
    ("long.csv", "", &["column nnn", "nnn…: expected a finite number, found xxx", "xxx…; --label-column"]),
    (
        "long.csv",
        "--label-column none",
        &["--label-column: expected one of 3 columns: nnn", "nnn…, found none"],
    ),
    ("keys.npz", "", &["X: expected", "found only \\u{1b}[31mkey\\nkeykkk", "k…\n"]),
    ("column.csv", "--label-column nowhere", &["--label-column", "a, b, c", "nowhere"]),
    ("regression.csv", "", &["line 1, column 3", "0.5"]),
    ("mixed.csv", "", &["line 2, column 1", "an integer, as the labels before it", "cat"]),
    ("quote.csv", "", &["line 2", "a closing quote"]),
    ("long-quote.csv", "", &["line 2", "a closing quote"]),
    ("commas.csv", "", &["line 1", "at most 1048576 columns"]),
    ("commas.csv.gz", "", &["line 1", "at most 1048576 columns"]),
    ("long-line.svm", "", &["line 2", "lines of less than"]),
    ("twice.svm", "", &["line 2", "each index once, found 3 twice"]),
    ("only-header.csv", "", &["rows"]),
    ("decimals.csv", "", &["line 2, column 1,5", "decimals have a point here"]),
    ("spaces.csv", "", &["table", "commas, semicolons or tabs", "1 column"]),
    ("half-header.csv", "", &["line 1, column 0", "is a header", "label"]),
    ("bytes.csv", "", &["UTF-8"]),
    ("bomb.csv.gz", "", &["inflates"]),
    ("cut.csv.gz", "", &["cut.csv.gz"]),
    ("magic-idx3-ubyte", "--labels l-idx1-ubyte", &["IDX", "ff ff"]),
    ("sizes-idx3-ubyte", "--labels l-idx1-ubyte", &["IDX", "4294967295", "exceed the length of the file"]),
    ("no-samples-idx4-ubyte", "--labels l-idx1-ubyte", &["IDX", "exceed the length"]),
    ("short-idx3-ubyte", "--labels l-idx1-ubyte", &["as many entries", "early end"]),
    ("alone-idx3-ubyte", "", &["labels", "--labels"]),
    ("long-idx3-ubyte", "--labels l-idx1-ubyte", &["IDX", "more bytes than its header says"]),
    ("two-idx3-ubyte", "--labels l-idx1-ubyte", &["y", "2 samples", "3"]),
    ("bomb-idx3-ubyte.gz", "--labels l-idx1-ubyte", &["IDX", "exceed the length"]),
    ("cut.bin", "", &["CIFAR-10", "3073"]),
    ("label.bin", "", &["record 0", "0 to 9", "10"]),
    ("empty.bin", "", &["CIFAR-10", "found none"]),
    ("empty.svm", "", &["svmlight", "found none"]),
    ("pair.svm", "", &["line 1", "index:value", "oops"]),
    ("index.svm", "", &["line 1", "index", "99999999999"]),
    ("sparse.svm", "", &["sparse", "4294967295"]),
    ("label.svm", "", &["line 2", "integer label", "cat"]),
    ("latin.svm", "", &["line 2", "UTF-8"]),
    ("header.safetensors", "", &["safetensors"]),
    ("json.safetensors", "", &["safetensors"]),
    ("offsets.safetensors", "", &["safetensors"]),
    ("overflow.safetensors", "", &["safetensors"]),
    ("what.xyz", "", &["name that tells the format", "--data-format"]),
    ("missing.csv", "", &["No such file"]),
];

fn write_files(folder: &Path) {
    let put = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes).unwrap();
    let npz = |name: &str, x: &Array2<f64>, y: &Array1<i64>| {
        save(&folder.join(name), |npz| {
            npz.add_array("X", x).unwrap();
            npz.add_array("y", y).unwrap();
        });
    };
    let x = Array2::from_shape_fn((3, 2), |(i, k)| (i + k) as f64);
    let labels = |labels: [i64; 3]| Array1::from_iter(labels);

    put("empty.npz", b"");
    put("garbage.npz", b"not a zip, but some text");
    npz("good.npz", &x, &labels([0, 1, 2]));
    let good = fs::read(folder.join("good.npz")).unwrap();
    put("truncated.npz", &good[..good.len() / 2]);
    let header = npy_of("(65536, 4096)", "|u1", &[]);
    put("bomb.npz", &zipped("X.npy", &header, 1 << 28, header.len() as u32 + (1 << 28)));
    put("lying-bomb.npz", &zipped("X.npy", &header, 1 << 28, 1000));
    let overflow = npy_of("(9223372036854775807, 9223372036854775807)", "<f4", &[0; 64]);
    put("shape-overflow.npz", &zipped("X.npy", &overflow, 0, overflow.len() as u32));
    let object = npy_of("(3, 2)", "|O", &[0; 48]);
    put("object.npz", &zipped("X.npy", &object, 0, object.len() as u32));
    save(&folder.join("labels-float.npz"), |npz| {
        npz.add_array("X", &x).unwrap();
        npz.add_array("y", &Array1::from_iter([0.0, 1.0, 2.0])).unwrap();
    });
    save(&folder.join("labels-huge.npz"), |npz| {
        npz.add_array("X", &x).unwrap();
        npz.add_array("y", &Array1::from_iter([0, u64::MAX, 2])).unwrap();
    });
    npz("labels-negative.npz", &x, &labels([0, -7, 2]));
    npz("labels-few.npz", &x, &Array1::from_iter([0, 1]));
    let mut with_nan = x.clone();
    with_nan[[1, 1]] = f64::NAN;
    npz("nan.npz", &with_nan, &labels([0, 1, 2]));
    save(&folder.join("no-labels.npz"), |npz| npz.add_array("X", &x).unwrap());
    save(&folder.join("flat.npz"), |npz| npz.add_array("X", &Array1::<f64>::zeros(6)).unwrap());
    save(&folder.join("wide.npz"), |npz| {
        npz.add_array("X", &Array2::<f64>::zeros((0, 1 << 59))).unwrap();
        npz.add_array("y", &Array1::<i64>::zeros(0)).unwrap();
        npz.add_array("class_weight", &Array1::<f64>::ones(10)).unwrap();
    });
    save(&folder.join("transposed.npz"), |npz| {
        npz.add_array("X", &x).unwrap();
        npz.add_array("W", &Array2::<f64>::zeros((3, 2))).unwrap();
        npz.add_array("y", &labels([0, 1, 2])).unwrap();
    });
    npz("huge-class.npz", &x, &labels([0, 1, 1 << 40]));

    put("y.npy", &npy_of("(3,)", "|u1", &[0, 1, 2]));
    put("y2.npy", &npy_of("(2,)", "|u1", &[0, 1]));
    put("x.npy", &npy_of("(3, 2)", "|u1", &[1, 2, 3, 4, 5, 6]));
    put("short.npy", &npy_of("(3, 2)", "<f8", &[0; 40]));
    put("enormous.npy", &npy_of("(1000000000, 1000000)", "<f8", &[0; 48]));
    put("magic.npy", b"\x93NUMPZ\x01\x00 and so on");

    put("ragged.csv", b"1,2,3,0\n4,5,6,1\n7,8,1\n");
    put("word.csv", b"1,2,3,0\n4,two,6,1\n");
    put("hole.csv", b"a,b,label\n4,,1\n");
    put("infinite.csv", b"1,2,0\n4,inf,1\n");
    put("beyond-f32.csv", b"1,1e300,0\n");
    put("beyond-f32.svm", b"1 1:-1e300\n");
    let mut beyond = x.clone();
    beyond[[1, 1]] = 1e300;
    npz("beyond-f32.npz", &beyond, &labels([0, 1, 2]));
    put("beyond-f64.csv", b"1,1e400,0\n");
    put("letter.txt", b"Dear Sir,\nyours\n");
    put("escapes.csv", b"\"red\x1b[31m\nnext\",b,c\n\x1b]0;x\x07,1,0\n");
    put("long.csv", format!("{},b,c\n{},1,0\n", "n".repeat(60_000), "x".repeat(60_000)).as_bytes());
    save(&folder.join("keys.npz"), |npz| {
        npz.add_array(format!("\x1b[31mkey\nkey{}", "k".repeat(300)), &x).unwrap();
    });
    put("column.csv", b"a,b,c\n1,2,0\n");
    put("regression.csv", b"1,2,3,0.5\n1,2,3,0.75\n");
    put("only-header.csv", b"a,b,c\n");
    put("spaces.csv", b"x y z\n1 2 0\n");
    put("half-header.csv", b"label,0,1\n1,2,3\n");
    put("x.csv", b"1\n2\n3\n");
    put("empty.svm", b"");
    put("empty.bin", b"");
    put("mixed.csv", b"1,1\n2,cat\n");
    put("quote.csv", b"1,2,0\n1,\"2,0\n1,2,1\n1,2,1\n");
    let mut file = fs::File::create(folder.join("long-quote.csv")).unwrap();
    file.write_all(b"1,2,0\n1,\"2,").unwrap();
    repeat(b'\n', 64 << 20, &mut file);
    repeat(b',', 64 << 20, fs::File::create(folder.join("commas.csv")).unwrap());
    put("commas.csv.gz", &gzipped(&[], b',', 8 << 20));
    let mut file = fs::File::create(folder.join("long-line.svm")).unwrap();
    file.write_all(b"1 1:2\n").unwrap();
    repeat(b' ', 64 << 20, &mut file);
    put("twice.svm", b"1 1:2 2:1\n0 3:1 1:2 3:1\n");
    put("bytes.csv", b"1,2,0\n\xff\xfe,3,1\n");
    put("bomb.csv.gz", &gzipped(&[], b'\n', 40 << 20));
    let cut = gzipped(b"1,2,0\n4,5,1\n4,7,1\n", 0, 0);
    put("cut.csv.gz", &cut[..cut.len() - 9]);

    put("l-idx1-ubyte", &[0, 0, 8, 1, 0, 0, 0, 3, 0, 1, 2]);
    put("magic-idx3-ubyte", &[0xff, 0xff, 8, 3, 0, 0, 0, 1]);
    let sizes = [[0, 0, 8, 3], [255; 4], [255; 4], [255; 4]].concat();
    put("sizes-idx3-ubyte", &sizes);
    put("no-samples-idx4-ubyte", &[&[0, 0, 8, 4, 0, 0, 0, 0], &[255; 12][..]].concat());
    put("short-idx3-ubyte", &[0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3]);
    put("alone-idx3-ubyte", &[0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 7]);
    put("long-idx3-ubyte", &[0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 1, 7, 8, 9, 10]);
    put("long-idx1-ubyte", &[0, 0, 8, 1, 0, 0, 0, 3, 0, 1, 0, 1]);
    put("two-idx3-ubyte", &[0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 7, 8]);
    let million = [[0, 0, 8, 3], [0, 1, 0, 0], [0, 0, 4, 0], [0, 0, 4, 0]].concat();
    put("bomb-idx3-ubyte.gz", &gzipped(&million, 0, 1 << 24));
    let mut damaged = zipped("X.npy", &npy_of("(1, 1)", "<f4", &[0; 4]), 0, 132);
    let directory = damaged.windows(4).rposition(|bytes| bytes == b"PK\x01\x02").unwrap();
    damaged[directory + 16] ^= 1;
    put("checksum.npz", &damaged);
    let mut npz = ndarray_npy::NpzWriter::new(fs::File::create(folder.join("wide-nothing.npz")).unwrap());
    npz.add_array("y", &Array1::<i64>::zeros(0)).unwrap();
    npz.add_array("X", &Array2::<f32>::zeros((0, 1 << 40))).unwrap();
    npz.finish().unwrap();
    put("cut.bin", &[0; 3000]);
    put("label.bin", &[10; 3073]);
    put("pair.svm", b"1 1:2 oops\n");
    put("index.svm", b"1 99999999999:2\n");
    put("sparse.svm", b"1 1:2\n0 4294967295:2\n");
    put("latin.svm", b"1 1:2\n0 1:2 # caf\xe9\n");
    put("decimals.csv", b"1,5;cat\n2,5;dog\n");
    put("label.svm", b"1 1:2\ncat 1:2\n");

    put("header.safetensors", &safetensors(1 << 60, "{}", &[]));
    put("json.safetensors", &safetensors(8, "not json", &[]));
    let claims = |shape: &str, end: u64| {
        format!("{{\"X\":{{\"dtype\":\"F32\",\"shape\":{shape},\"data_offsets\":[0,{end}]}}}}")
    };
    let offsets = claims("[1000000,1000]", 4_000_000_000);
    put("offsets.safetensors", &safetensors(offsets.len() as u64, &offsets, &[0; 16]));
    let overflow = claims("[18446744073709551615,18446744073709551615]", 4);
    put("overflow.safetensors", &safetensors(overflow.len() as u64, &overflow, &[0; 4]));
    put("what.xyz", b"1,2,3");
}

#[test]
fn the_file_at_fault_is_the_one_that_is_named() {
    let folder = TempDir::new().unwrap();
    write_files(folder.path());
    for (args, expected) in [
        ("--labels x.csv", "x.csv: expected labels in an .npy or an IDX file"),
        (
            "--labels long-idx1-ubyte",
            "long-idx1-ubyte: expected an IDX file, the format of MNIST, found more bytes",
        ),
        ("--weights transposed.npz", "transposed.npz: W: expected 2 rows, one for each feature"),
    ] {
        let line =
            refusal(&words(&format!("compare --backends naive --data good.npz {args}")), folder.path());
        assert!(line.contains(expected), "{line}");
    }
}

#[test]
fn each_malformed_file_is_refused_in_one_line_with_little_memory() {
    let folder = TempDir::new().unwrap();
    write_files(folder.path());
    // The valid file, from which the malformed ones differ, is accepted.
    success(&words("compare --backends naive --repeat 1 --data good.npz"), folder.path());
    let mut wrong = Vec::new();
    for (file, more, expected) in CASES {
        let args = format!("compare --backends naive --repeat 1 --data {file} {more}");
        let mut child = super::program()
            .args(words(&args))
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        let ended = child.wait4().unwrap();
        let memory = ended.rusage.maxrss;
        let right = ended.status.code() == Some(2)
            && said.lines().count() == 1
            && said.contains(file)
            && said.len() < 400
            && said.trim_end().chars().all(|c| !c.is_control())
            && expected.iter().all(|part| said.contains(part))
            && memory < MEMORY;
        if !right {
            wrong.push(format!("{file}: {:?}, {memory} bytes: {said}", ended.status.code()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(CASES.len() >= 30);
}

/// Endless devices are refused, by name or through a pipe. A pipe that ends is read like a file.
#[cfg(unix)]
#[test]
fn devices_are_refused_and_pipes_are_read() {
    let folder = TempDir::new().unwrap();
    write_files(folder.path());
    for args in [
        "--data /dev/zero --data-format csv",
        "--data /dev/zero --data-format svmlight",
        "--data /dev/zero --data-format cifar10",
        "--data /dev/zero --data-format safetensors",
        "--data /dev/zero --data-format npz",
        "--data good.npz --labels /dev/zero",
        "--data good.npz --weights /dev/zero",
    ] {
        let line = refusal(&words(&format!("compare {args}")), folder.path());
        assert!(line.contains("/dev/zero: expected a") && line.contains("device"), "{args}: {line}");
    }
    fs::write(folder.path().join("t.csv"), "1,2,0\n4,5,1\n").unwrap();
    fs::write(folder.path().join("t.svm"), "0 1:2\n1 2:1\n").unwrap();
    let piped = |from: &str, format: &str| {
        let args = format!("compare --backends naive --repeat 1 --data /dev/stdin --data-format {format}");
        let script = format!("{from} | '{}' {args}", env!("CARGO_BIN_EXE_softmax"));
        Command::new("sh").args(["-c", &script]).current_dir(folder.path()).output().unwrap()
    };
    for format in ["csv", "svmlight"] {
        let file = if format == "csv" { "t.csv" } else { "t.svm" };
        let run = piped(&format!("cat {file}"), format);
        assert!(run.status.success(), "{format}: {}", String::from_utf8_lossy(&run.stderr));
        let run = piped("cat /dev/zero", format);
        let said = String::from_utf8(run.stderr).unwrap();
        assert!(
            run.status.code() == Some(2) && said.contains("/dev/stdin: line 1: expected"),
            "{format}: {said}"
        );
    }
}
