use super::super::{Body, Inputs};
use super::*;

fn split(column: u16, rule: Rule, left: u32, right: u32) -> Node {
    Node::Split(Split { column, rule, missing: Missing::Nan, missing_left: true, left, right })
}

fn general(nodes: Vec<Node>) -> Tree {
    Tree::General { nodes }
}

fn margins(body: &Body, rows: &[[f32; 2]]) -> Vec<f64> {
    rows.iter().map(|[a, b]| body.margin(&[1.0, *a, *b])).collect()
}

#[test]
fn a_general_tree_by_hand() {
    // Column 0 below 0.5: 1; else column 1 below -1: 2, else 4. NaN goes left.
    let nodes = vec![
        split(0, Rule::Less(0.5), 1, 2),
        Node::Leaf(1.0),
        split(1, Rule::Less(-1.0), 4, 3),
        Node::Leaf(4.0),
        Node::Leaf(2.0),
    ];
    let trees = Trees::new(0.25, vec![general(nodes), general(vec![Node::Leaf(8.0)])]).unwrap();
    let body = Body::Trees(trees);
    let rows = [[0.4, 9.0], [0.5, -2.0], [0.5, -1.0], [f32::NAN, 0.0], [9.0, f32::NAN]];
    assert_eq!(margins(&body, &rows), [9.25, 10.25, 12.25, 9.25, 10.25]);
    let mut inputs = Inputs::default();
    body.evaluate(&[1.0, 0.5, -1.0], &mut inputs);
    // Leaves are numbered in the order of the nodes.
    assert_eq!((inputs.leaves.as_slice(), inputs.values.len()), (&[1, 3][..], 0));
    assert_eq!((body.columns(), body.width()), (2, 4));
}

#[test]
fn an_oblivious_tree_by_hand() {
    let level =
        |column, threshold, missing_left| Level { column, rule: Rule::Less(threshold), missing: Missing::Nan, missing_left };
    let tree = Tree::Oblivious { levels: vec![level(0, 1.0, true), level(1, 2.0, false)], leaves: vec![1.0, 2.0, 3.0, 4.0] };
    let body = Body::Trees(Trees::new(0.0, vec![tree]).unwrap());
    let rows = [[0.0, 0.0], [1.0, 0.0], [0.0, 2.0], [1.0, 2.0], [f32::NAN, f32::NAN]];
    assert_eq!(margins(&body, &rows), [1.0, 2.0, 3.0, 4.0, 3.0]);
}

#[test]
fn missing_rules() {
    let tree = |missing, missing_left| {
        let root = Node::Split(Split { column: 0, rule: Rule::Less(0.5), missing, missing_left, left: 1, right: 2 });
        Body::Trees(Trees::new(0.0, vec![general(vec![root, Node::Leaf(1.0), Node::Leaf(2.0)])]).unwrap())
    };
    let rows = [[f32::NAN, 0.0], [0.0, 0.0], [-1e-35, 0.0], [1e-34, 0.0], [1.0, 0.0]];
    for (missing, left, want) in [
        (Missing::Nan, true, [1.0, 1.0, 1.0, 1.0, 2.0]),
        (Missing::Nan, false, [2.0, 1.0, 1.0, 1.0, 2.0]),
        (Missing::Zero, true, [1.0, 1.0, 1.0, 1.0, 2.0]),
        (Missing::Zero, false, [2.0, 2.0, 2.0, 1.0, 2.0]),
        (Missing::Nothing, true, [1.0, 1.0, 1.0, 1.0, 2.0]),
        (Missing::Nothing, false, [1.0, 1.0, 1.0, 1.0, 2.0]),
    ] {
        assert_eq!(margins(&tree(missing, left), &rows), want, "{missing:?} {left}");
    }
}

#[test]
fn sets_of_categories() {
    let nodes = vec![split(0, Rule::In(vec![0b101, 1 << 31]), 1, 2), Node::Leaf(1.0), Node::Leaf(2.0)];
    let body = Body::Trees(Trees::new(0.0, vec![general(nodes)]).unwrap());
    for (value, want) in [
        (0.0, 1.0),
        (1.0, 2.0),
        (2.9, 1.0),
        (63.0, 1.0),
        (64.0, 2.0),
        (-1.0, 2.0),
        (3e9, 2.0),
        (f32::INFINITY, 2.0),
        (f32::NEG_INFINITY, 2.0),
        (f32::NAN, 1.0),
    ] {
        assert_eq!(body.margin(&[1.0, value]), want, "{value}");
    }
    let empty = vec![split(0, Rule::In(Vec::new()), 1, 2), Node::Leaf(1.0), Node::Leaf(2.0)];
    assert_eq!(Body::Trees(Trees::new(0.0, vec![general(empty)]).unwrap()).margin(&[1.0, 0.0]), 2.0);
}

#[test]
fn the_trees_come_back() {
    let nodes = vec![
        split(0, Rule::Less(0.5), 1, 2),
        split(3, Rule::In(vec![7]), 3, 4),
        Node::Leaf(1.0),
        Node::Leaf(2.0),
        Node::Leaf(3.0),
    ];
    let level = Level { column: 2, rule: Rule::In(vec![1, 2]), missing: Missing::Zero, missing_left: false };
    let all = vec![
        general(nodes),
        Tree::Oblivious { levels: vec![level], leaves: vec![0.5, -0.5] },
        Tree::Oblivious { levels: Vec::new(), leaves: vec![0.25] },
    ];
    let trees = Trees::new(1.0, all.clone()).unwrap();
    assert_eq!(trees.to_trees(), all);
    assert_eq!(Trees::new(1.0, trees.to_trees()).unwrap(), trees);
}

#[test]
fn refuses_bad_trees() {
    let leaf = || Node::Leaf(0.0);
    let chain = |depth: u32| {
        let mut nodes: Vec<Node> = (0..depth).map(|i| split(0, Rule::Less(0.0), i + 1, depth + 1 + i)).collect();
        nodes.extend((0..=depth).map(|_| leaf()));
        general(nodes)
    };
    assert!(Trees::new(0.0, vec![chain(64)]).is_ok());
    let oblivious = |levels: usize, leaves: usize| {
        let level = Level { column: 0, rule: Rule::Less(0.0), missing: Missing::Nan, missing_left: true };
        Tree::Oblivious { levels: vec![level; levels], leaves: vec![0.0; leaves] }
    };
    let rule = |rule| general(vec![split(0, rule, 1, 2), leaf(), leaf()]);
    let others = "expected trees of at most 64 splits down (16 levels), each split and leaf in one place, got others";
    let split_0 = "split 0 needs a column below 256, a threshold or set, and a rule";
    for (trees, want) in [
        (Vec::new(), "expected 1 to 1000 trees, got 0"),
        (vec![general(vec![leaf()]); 1_001], "expected 1 to 1000 trees, got 1001"),
        (vec![general(Vec::new())], "expected 1 to 100000 nodes of a tree, got 0"),
        (vec![oblivious(16, 65_536), oblivious(16, 65_536)], "expected 1 to 100000 splits and leaves, got 131104"),
        (vec![general(vec![split(0, Rule::Less(0.0), 1, 3), leaf(), leaf()])], "node 0 must name a child below 3, got 3"),
        (vec![general(vec![split(0, Rule::Less(0.0), 1, 1), leaf(), leaf()])], others),
        (vec![general(vec![split(0, Rule::Less(0.0), 1, 0), leaf()])], others),
        (vec![general(vec![leaf(), leaf()])], others),
        (vec![chain(65)], others),
        (vec![rule(Rule::Less(f32::NAN))], split_0),
        (vec![general(vec![split(256, Rule::Less(0.0), 1, 2), leaf(), leaf()])], split_0),
        (
            vec![general(vec![Node::Leaf(f64::NEG_INFINITY)])],
            "leaf 0 must be within -1000000 and 1000000, got an infinite number",
        ),
        (vec![rule(Rule::In(vec![0; 262_144]))], "expected 0 to 262144 words of categories, got 262145"),
        (vec![oblivious(17, 1)], "expected 0 to 16 levels of an oblivious tree, got 17"),
        (vec![oblivious(2, 3)], "expected 4 leaves of an oblivious tree, got 3"),
    ] {
        let error = Trees::new(0.0, trees).unwrap_err();
        assert_eq!((error.code(), error.message()), ("bad_body", want));
    }
    assert!(Trees::new(f64::NAN, vec![general(vec![leaf()])]).is_err());
}

#[test]
fn refuses_stored_trees_that_point_anywhere() {
    let split = FlatSplit { column: 0, flags: 0, value: 0, left: FlatSplit::LEAF, right: FlatSplit::LEAF | 1 };
    let tree = FlatTree { form: 0, first: 0, leaf: 0 };
    let code = |tree: FlatTree, split: FlatSplit, sets: &[u32]| {
        Trees::from_flat(0.0, vec![tree], vec![split], vec![0.0; 2], sets.to_vec()).map_or_else(|error| error.code(), |_| "ok")
    };
    let oblivious = FlatTree { form: 2, ..tree };
    let set = FlatSplit { flags: 8, ..split };
    assert_eq!(code(tree, split, &[]), "ok");
    assert_eq!(code(oblivious, split, &[]), "ok");
    assert_eq!(code(tree, set, &[1, 9]), "ok");
    for (tree, split, sets) in [
        (FlatTree { first: 1, ..tree }, split, &[][..]),
        (FlatTree { first: FlatSplit::LEAF, ..tree }, split, &[]),
        (FlatTree { first: u32::MAX, ..tree }, split, &[]),
        (tree, FlatSplit { left: u32::MAX, ..split }, &[]),
        (tree, FlatSplit { left: 0, ..split }, &[]),
        (FlatTree { form: 1, ..tree }, split, &[]),
        (FlatTree { form: 3, ..tree }, split, &[]),
        (FlatTree { form: u32::MAX, ..tree }, split, &[]),
        (FlatTree { leaf: 1, ..oblivious }, split, &[]),
        (FlatTree { leaf: u32::MAX, ..oblivious }, split, &[]),
        (FlatTree { first: u32::MAX, ..oblivious }, split, &[]),
        (tree, set, &[]),
        (tree, set, &[2, 9]),
        (tree, FlatSplit { value: u32::MAX, ..set }, &[1, 9]),
        (tree, FlatSplit { flags: 3, ..split }, &[]),
        (tree, FlatSplit { flags: 16, ..split }, &[]),
    ] {
        assert_eq!(code(tree, split, sets), "bad_body", "{tree:?} {split:?} {sets:?}");
    }
}
