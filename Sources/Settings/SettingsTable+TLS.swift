/// TLS on both sides.
extension SettingsTable {
    static let tlsModes = TLSMode.allCases.map(\.rawValue)
    private static let versions = TLSProtocolVersion.allCases.map(\.rawValue)

    static let clientTLSKeys: [SettingsKey] = [
        SettingsKey(
            "tls_mode", .general, .choice(Self.tlsModes, anyCase: false), unset: "`allow` with `tls_certificate`",
            .reload,
            """
            Whether clients use TLS. `disable`: no TLS. `allow` and `prefer`: TLS for clients that ask for it. \
            `require`: clients in clear text are refused, but for unix sockets and cancel requests. `verify-ca` and \
            `verify-full`: as `require`, and every client shows a certificate that chains to `tls_ca_cert`; whose \
            certificate it is, is asked by rules only (`clientcert=verify-full`, method `cert`).
            """
        ),
        SettingsKey(
            "tls_certificate", .general, .path, unset: "no TLS for clients", .reload,
            "Certificate shown to clients, PEM; those that it chains through follow it in the file."
        ),
        SettingsKey(
            "tls_private_key", .general, .path, .reload, "Private key of `tls_certificate`, PEM, not encrypted."
        ),
        SettingsKey(
            "tls_ca_cert", .general, .path, unset: "clients are not asked for certificates", .reload,
            """
            Authorities that client certificates must chain to, PEM, all of the file. Clients are asked for a \
            certificate then; without one they may log in as far as `tls_mode` and the rules allow. pg_doorman asks \
            with `verify-full` only; here a client that shows one of another authority is refused in every mode with \
            TLS.
            """
        ),
        SettingsKey(
            "tls_crl_file", .general, .path, .reload, isOwn: true,
            "Revoked client certificates, PEM: one list for each authority of the chain."
        ),
        SettingsKey(
            "tls_min_version", .general, .choice(Self.versions, anyCase: false), default: "TLSv1.2", .reload,
            isOwn: true, "Oldest version that clients may use."
        ),
        SettingsKey(
            "tls_max_version", .general, .choice(Self.versions, anyCase: false), unset: "the newest", .reload,
            isOwn: true, "Newest version that clients may use."
        ),
        SettingsKey(
            "tls_ciphers", .general, .string, unset: "OpenSSL's list", .reload, isOwn: true,
            "Ciphers of TLS 1.2 for clients, as `openssl ciphers` takes them."
        ),
        SettingsKey(
            "tls_ciphersuites", .general, .string, unset: "OpenSSL's list", .reload, isOwn: true,
            "Cipher suites of TLS 1.3 for clients, with colons between them."
        ),
        SettingsKey(
            "tls_curves", .general, .string, unset: "OpenSSL's list", .reload, isOwn: true,
            "Groups of the key exchange with clients, with colons between them: `X25519:prime256v1`."
        ),
        SettingsKey(
            "tls_session_tickets", .general, .bool, default: "false", .reload, isOwn: true,
            "Lets clients resume TLS sessions by tickets. libpq never does."
        ),
        SettingsKey(
            "tls_rate_limit_per_second", .general, .count, default: "0", .reload,
            """
            Handshakes with clients begun per second; more wait for their turn. 0 is no limit. pg_doorman takes only \
            multiples of 100.
            """
        ),
    ]

    static let poolServerNameKeys: [SettingsKey] = [
        SettingsKey(
            "tls_server_names", .pool, .stringList, default: "[]", .reload, isOwn: true,
            """
            Host names that lead to this pool: a client that named one of them in its TLS handshake (SNI) and asks for \
            this pool's name or its `server_database` gets this pool, whatever other pool has that name. `*.` stands \
            for one label in front; a whole name wins over it.
            """
        )
    ]

    /// TLS towards servers, in `general` and per pool.
    static func serverTLSKeys(of section: SettingsSection) -> [SettingsKey] {
        Self.serverTLSFileKeys(of: section) + Self.serverTLSSpeechKeys(of: section)
    }

    /// In `general` with all that is to be said, per pool with a reference to that.
    private static func serverKey(
        _ section: SettingsSection,
        _ name: String,
        _ kind: SettingsKind,
        default defaultText: String? = nil,
        unset: String? = nil,
        isOwn: Bool = false,
        _ summary: String
    ) -> SettingsKey {
        guard section == .general else {
            return SettingsKey(name, section, kind, fallback: .general, .newPool, isOwn: isOwn, "As in `general`.")
        }
        return SettingsKey(name, section, kind, default: defaultText, unset: unset, .newPool, isOwn: isOwn, summary)
    }

    /// Whether TLS is used, and the files that say who is who.
    private static func serverTLSFileKeys(of section: SettingsSection) -> [SettingsKey] {
        [
            serverKey(
                section, "server_tls_mode", .choice(Self.tlsModes, anyCase: true), default: "allow",
                """
                Whether servers are spoken to by TLS, as libpq's `sslmode`. `disable`: never. `allow`: in clear text, \
                and by TLS where the server refuses that. `prefer`: by TLS, and in clear text where the server has \
                none. `require`: by TLS only. `verify-ca`: and its certificate chains to `server_tls_ca_cert`. \
                `verify-full`: and bears the name in `server_host`. Unix sockets never use TLS.
                """
            ),
            serverKey(
                section, "server_tls_ca_cert", .path, unset: "certificates are not checked",
                """
                Authorities that the certificates of servers must chain to, PEM, all of the file. With it, `require` \
                checks the chain, too, as libpq does and pg_doorman does not; `allow` and `prefer` check nothing.
                """
            ),
            serverKey(
                section, "server_tls_certificate", .path, unset: "none",
                "Certificate shown to servers that ask for one, PEM."
            ),
            serverKey(
                section, "server_tls_private_key", .path,
                "Private key of `server_tls_certificate`, PEM, not encrypted."
            ),
            serverKey(
                section, "server_tls_crl_file", .path, isOwn: true,
                "Revoked certificates of servers, PEM: one list for each authority of the chain."
            ),
        ]
    }

    /// What is spoken, and how it begins.
    private static func serverTLSSpeechKeys(of section: SettingsSection) -> [SettingsKey] {
        [
            serverKey(
                section, "server_tls_min_version", .choice(Self.versions, anyCase: false), default: "TLSv1.2",
                isOwn: true,
                "Oldest version spoken to servers."
            ),
            serverKey(
                section, "server_tls_max_version", .choice(Self.versions, anyCase: false), unset: "the newest",
                isOwn: true,
                "Newest version spoken to servers."
            ),
            serverKey(
                section, "server_tls_ciphers", .string, unset: "OpenSSL's list", isOwn: true,
                "Ciphers of TLS 1.2 for servers, as `openssl ciphers` takes them."
            ),
            serverKey(
                section, "server_tls_negotiation", .choice(["postgres", "direct"], anyCase: true), default: "postgres",
                isOwn: true,
                """
                `postgres`: servers are asked for TLS first. `direct`: TLS from the first byte, as PostgreSQL 17 and \
                newer take it; needs `server_tls_mode` `require` or stronger.
                """
            ),
            serverKey(
                section, "server_channel_binding", .choice(["disable", "prefer", "require"], anyCase: true),
                default: "prefer", isOwn: true,
                """
                Whether logins at servers are bound to their certificate (SCRAM-SHA-256-PLUS), as libpq's \
                `channel_binding`. `require` needs `server_tls_mode` `prefer` or stronger, and passwords that SCRAM \
                checks.
                """
            ),
        ]
    }
}
