//! `waxseal config show`.

use super::{configure, two_keys, with_variables};
use crate::support::World;

#[test]
fn without_a_configuration_everything_is_built_in() {
    let world = World::new();
    let run = world.run(["config", "show"]).succeeds_silently();
    let home = world.home();
    let expected = format!(
        "home           {home}  ($WAXSEAL_HOME)\n\
         configuration  {home}/config.toml, which is not there  ($WAXSEAL_HOME)\n\
         key store      {home}/kms  ($WAXSEAL_HOME)\n\
         key            local:alias/default  (built in)\n\
         context        none  (built in)\n",
        home = home.display()
    );
    assert_eq!(run.text(), expected);
    assert!(!home.exists(), "nothing is made");
    let run = world.run(["--home", "here", "config", "show"]).succeeds_silently();
    let here = world.dir().canonicalize().unwrap().join("here");
    assert!(run.text().starts_with(&format!("home           {}  (command line)\n", here.display())), "{}", run.text());
}

#[test]
fn each_setting_is_shown_with_where_it_is_from() {
    let world = World::new();
    let arn = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    configure(
        &world,
        &format!(
            "key = [\"alias/a\", \"alias/b\"]\nalways-keys = [\"alias/c\"]\ntrusted-keys = [\n \"{arn}\"]\n\
             [[rules]]\npath = \"/x/**\"\nkey = \"alias/d\"\ncontext = {{ a = \"1\", b = \"2\" }}\n"
        ),
    );
    let file = world.home().join("config.toml");
    let variables = [("WAXSEAL_CONTEXT", "n=v"), ("WAXSEAL_KMS", "unix:/run/kms.sock")];
    let run = with_variables(&world, variables, &["config", "show"]).succeeds_silently();
    for line in [
        "key store      unix:/run/kms.sock  ($WAXSEAL_KMS)".to_owned(),
        format!("key            local:alias/a, local:alias/b  ({}:1)", file.display()),
        "context        n=v  ($WAXSEAL_CONTEXT)".to_owned(),
        format!("always key     local:alias/c  ({}:2)", file.display()),
        format!("trusted key    {arn}  ({}:4)", file.display()),
        format!("rule           /x/**: key local:alias/d; context a=1, b=2  ({}:6)", file.display()),
    ] {
        assert!(run.text().lines().any(|shown| shown == line), "{line:?} is not in:\n{}", run.text());
    }
    let [object] =
        with_variables(&world, variables, &["config", "show", "--json"]).succeeds().json().try_into().unwrap();
    assert_eq!((object["v"].as_u64(), object["file"].as_str()), (Some(1), file.to_str()));
    let setting = |name: &str| {
        let settings = object["settings"].as_array().unwrap();
        settings.iter().find(|setting| setting["name"] == name).unwrap().clone()
    };
    assert_eq!(setting("key")["value"], serde_json::json!(["local:alias/a", "local:alias/b"]));
    assert_eq!(setting("key")["origin"], serde_json::json!({ "kind": "configuration", "line": 1 }));
    assert_eq!(
        setting("context")["origin"],
        serde_json::json!({ "kind": "environment", "variable": "WAXSEAL_CONTEXT" })
    );
    assert_eq!(setting("rule")["value"]["context"]["b"], "2");
}

#[test]
fn the_rule_of_a_path_is_the_one_that_counts_when_it_is_encrypted() {
    let (world, ..) = two_keys();
    configure(
        &world,
        "key = \"alias/two\"\n[[rules]]\npath = \"DIR/src/hr/public\"\ncontext = { p = \"1\" }\n\
         [[rules]]\npath = \"DIR/src/hr\"\nkey = \"alias/one\"\n",
    );
    let dir = world.dir().canonicalize().unwrap();
    let file = world.home().join("config.toml");
    let shown = |path: &str| world.run(["config", "show", path]).succeeds_silently().text().to_owned();
    let (dir, file) = (dir.display(), file.display());
    assert_eq!(
        shown("src/hr/public/none/yet"),
        format!(
            "path           {dir}/src/hr/public/none/yet\n\
             rule           {dir}/src/hr/public: context p=1  ({file}:3)\n\
             key            local:alias/two  ({file}:1)\n\
             context        p=1  ({file}:4)\n"
        )
    );
    let whole = shown("src/hr");
    assert!(whole.contains(&format!("key            local:alias/one  ({file}:7)\n")), "{whole}");
    assert!(whole.contains(&format!("for parts      {dir}/src/hr/public: context p=1  ({file}:3)\n")), "{whole}");
    assert!(shown("src/top").contains("rule           none\n"));
    let decided = with_variables(
        &world,
        [("WAXSEAL_KEY", "alias/two"), ("WAXSEAL_CONTEXT", "a=1")],
        &["config", "show", "src/hr"],
    );
    assert!(decided.succeeds_silently().text().contains("rule           none counts: the environment says"));
}
