//! The layers of the configuration, and the errors of wrong keys in each.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::path::PathBuf;

use tempfile::TempDir;

use super::*;

/// A configuration file, variables and `--set` flags.
#[derive(Default)]
struct Given<'a> {
    file: &'a str,
    variables: &'a [(&'a str, &'a str)],
    set: &'a [&'a str],
}

impl Given<'_> {
    fn load(&self) -> anyhow::Result<Config> {
        let directory = TempDir::new().unwrap();
        let path: PathBuf = directory.path().join("tidemark.toml");
        std::fs::write(&path, self.file).unwrap();
        let flags = ConfigFlags {
            config: Some(path),
            up: None,
            set: self.set.iter().map(|&text| text.to_owned()).collect(),
        };
        let variables = self.variables.iter();
        Config::from_layers(
            &flags,
            variables
                .map(|&(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        )
    }

    #[track_caller]
    fn fails_with(&self, parts: &[&str]) {
        let error = self.load().unwrap_err();
        assert!(
            error.downcast_ref::<Usage>().is_some(),
            "not a usage error: {error:?}"
        );
        let text = format!("{error:#}");
        for part in parts {
            assert!(text.contains(part), "{part:?} is not in {text:?}");
        }
    }
}

#[test]
fn lists_come_from_files_variables_and_flags() {
    let proxies = ["10.0.0.0/8", "192.0.2.7"];
    let file = "[api.limits]\ntrusted_proxies = [\"10.0.0.0/8\", \"192.0.2.7\"]";
    for given in [
        Given {
            file,
            ..Given::default()
        },
        Given {
            variables: &[(
                "TIDEMARK_API__LIMITS__TRUSTED_PROXIES",
                "10.0.0.0/8, 192.0.2.7",
            )],
            ..Given::default()
        },
        Given {
            set: &["api.limits.trusted_proxies=10.0.0.0/8,192.0.2.7"],
            ..Given::default()
        },
    ] {
        assert_eq!(given.load().unwrap().api.limits.trusted_proxies, proxies);
    }
    let origin = Given {
        set: &["api.allowed_origins=https://dashboard.example.com"],
        ..Given::default()
    };
    let origins = origin.load().unwrap().api.allowed_origins;
    assert_eq!(origins, ["https://dashboard.example.com"]);
}

#[test]
fn later_layers_win() {
    let config = Given {
        file: "[kafka]\ntopic = 'from-file'\ngroup = 'from-file'\nclient_id = 'from-file'",
        variables: &[
            ("TIDEMARK_KAFKA__GROUP", "from-variable"),
            ("TIDEMARK_KAFKA__CLIENT_ID", "from-variable"),
        ],
        set: &["kafka.client_id=from-flag"],
    }
    .load()
    .unwrap();
    assert_eq!(config.kafka.topic, "from-file");
    assert_eq!(config.kafka.group, "from-variable");
    assert_eq!(config.kafka.client_id, "from-flag");
}

#[test]
fn text_is_converted_to_the_type_of_the_key() {
    let config = Given {
        variables: &[
            ("TIDEMARK_DATABASE__WRITERS", "9"),
            ("TIDEMARK_DATABASE__SYNCHRONOUS_COMMIT", "true"),
            // A password of digits stays text.
            ("TIDEMARK_DATABASE__PASSWORD", "0123"),
            ("TIDEMARK_API__LISTEN", "0.0.0.0:80"),
            ("TIDEMARK_KAFKA__PARTITIONER", "crc32"),
        ],
        ..Given::default()
    }
    .load()
    .unwrap();
    assert_eq!(config.database.writers, 9);
    assert!(config.database.synchronous_commit);
    assert_eq!(config.database.password.unwrap().reveal(), "0123");
    assert_eq!(config.api.listen.port(), 80);
    assert_eq!(
        config.kafka.partitioner,
        tidemark_schemas::Partitioner::Crc32
    );
}

#[test]
fn properties_of_librdkafka_keep_their_dots() {
    let config = Given {
        file: "[kafka.properties]\n'security.protocol' = 'ssl'",
        variables: &[("TIDEMARK_KAFKA__PROPERTIES__SASL_PASSWORD", "hush")],
        set: &["kafka.properties.fetch.wait.max.ms=10"],
    }
    .load()
    .unwrap();
    let properties: Vec<(&str, &str)> = config
        .kafka
        .properties
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    assert_eq!(
        properties,
        [
            ("fetch.wait.max.ms", "10"),
            ("sasl.password", "hush"),
            ("security.protocol", "ssl")
        ]
    );
}

#[test]
fn unknown_keys_are_reported_with_their_place() {
    let file = "[kafka]\ntopc = 'x'";
    Given {
        file,
        ..Given::default()
    }
    .fails_with(&[
        "tidemark.toml",
        "`kafka.topc` is unknown",
        "did you mean `kafka.topic`?",
    ]);
    Given {
        file: "[kafak]\ntopic = 'x'",
        ..Given::default()
    }
    .fails_with(&["`kafak` is unknown", "did you mean `kafka`?"]);
    Given {
        file: "[api.auth]\nisuer = 'x'",
        ..Given::default()
    }
    .fails_with(&[
        "`api.auth.isuer` is unknown",
        "did you mean `api.auth.issuer`?",
    ]);
    let variables = &[("TIDEMARK_KAFKA__TOPC", "x")];
    Given {
        variables,
        ..Given::default()
    }
    .fails_with(&[
        "variable TIDEMARK_KAFKA__TOPC",
        "did you mean `TIDEMARK_KAFKA__TOPIC`?",
    ]);
    let variables = &[("TIDEMARK_KAFKA_TOPIC", "x")];
    Given {
        variables,
        ..Given::default()
    }
    .fails_with(&[
        "variable TIDEMARK_KAFKA_TOPIC",
        "did you mean `TIDEMARK_KAFKA__TOPIC`?",
    ]);
    let set = &["api.listn=x"];
    Given {
        set,
        ..Given::default()
    }
    .fails_with(&["--set api.listn", "did you mean `api.listen`?"]);
}

#[test]
fn wrong_values_are_reported_with_their_place() {
    Given {
        file: "[database]\nwriters = 'many'",
        ..Given::default()
    }
    .fails_with(&["tidemark.toml", "`database.writers`", "u32"]);
    Given {
        variables: &[("TIDEMARK_API__LISTEN", "here")],
        ..Given::default()
    }
    .fails_with(&["variable TIDEMARK_API__LISTEN", "socket address"]);
    Given {
        file: "[kafka]\npartitioner = 'md5'",
        ..Given::default()
    }
    .fails_with(&["`kafka.partitioner`", "md5"]);
    Given {
        file: "[kafka",
        ..Given::default()
    }
    .fails_with(&["tidemark.toml", "line 1"]);
}

#[test]
fn secrets_are_read_from_variables_and_files_and_masked_in_output() {
    let directory = TempDir::new().unwrap();
    let secret = directory.path().join("secret");
    std::fs::write(&secret, "from-a-file\n").unwrap();
    let file = format!(
        "[registry]\npassword_file = '{0}'\n[kafka.property_files]\n'sasl.password' = '{0}'",
        secret.display()
    );
    let config = Given {
        file: &file,
        variables: &[
            ("TIDEMARK_API__AUTH__HS256_SECRET", "from-a-variable"),
            (
                "TIDEMARK_DATABASE__URL",
                "postgres://tidemark:in-the-url@db:5432/tidemark",
            ),
        ],
        set: &[],
    }
    .load()
    .unwrap();
    assert_eq!(
        config.registry.password.as_ref().unwrap().reveal(),
        "from-a-file"
    );
    assert_eq!(config.kafka.properties["sasl.password"], "from-a-file");
    let shown = toml::to_string_pretty(&config).unwrap();
    for secret in ["from-a-file", "from-a-variable", "in-the-url"] {
        assert!(!shown.contains(secret), "{secret} is shown in {shown}");
        assert!(
            !format!("{config:?}").contains(secret),
            "{secret} is shown for debugging"
        );
    }
    assert!(shown.contains("postgres://tidemark:********@db:5432/tidemark"));

    for set in [
        "database.password=x",
        "api.auth.hs256_secret=x",
        "kafka.properties.sasl.password=x",
    ] {
        Given {
            set: &[set],
            ..Given::default()
        }
        .fails_with(&["variables or files only"]);
    }
    let both = &[("TIDEMARK_REGISTRY__PASSWORD", "x")];
    Given {
        file: &file,
        variables: both,
        set: &[],
    }
    .fails_with(&["both registry.password and"]);
}

#[test]
fn service_links_of_kubernetes_are_ignored() {
    for name in [
        "TIDEMARK_SERVICE_HOST",
        "TIDEMARK_PORT",
        "TIDEMARK_API_PORT_8080_TCP_ADDR",
    ] {
        assert!(environment::is_service_link(name), "{name}");
    }
    for name in [
        "TIDEMARK_KAFKA__TOPIC",
        "TIDEMARK_KAFKA_TOPIC",
        "TIDEMARK_CONFIG",
    ] {
        assert!(!environment::is_service_link(name), "{name}");
    }
}
