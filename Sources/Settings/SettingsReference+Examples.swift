extension SettingsReference {
    /// Whole settings: TLS, and one for each way of proving users elsewhere than in PostgreSQL. A test loads them.
    package static let examples: [(title: String, text: String)] = [
        (
            "TLS on both sides: certificates for robots, bound passwords for the others",
            """
            general:
              admin_username: admin
              admin_password: "${ADMIN_PASSWORD}"
              tls_mode: require
              tls_certificate: gateway.pem          # what clients see; the chain behind it in the same file
              tls_private_key: gateway.key
              tls_ca_cert: people-ca.pem            # clients are asked for certificates of this authority
              server_tls_mode: verify-full
              server_tls_ca_cert: database-ca.pem
              server_channel_binding: require
              pg_hba:
                content: |
                  hostssl shop robot 10.0.0.0/8 cert
                  hostssl shop all   10.0.0.0/8 scram-sha-256
            pools:
              shop:
                server_host: db.example.org
                auth_query: { user: authenticator, password: "${SHOP_APP}" }
                users:
                  - { username: robot, password: "", server_username: robot, server_password: "${RO}", pool_size: 5 }
            """
        ),
        (
            "PAM: a service of the operating system checks the password",
            """
            general:
              admin_username: admin
              admin_password: "${ADMIN_PASSWORD}"
              pg_hba:
                content: |
                  host shop all 10.0.0.0/8 pam pamservice=pggateway
            pools:
              shop:
                server_host: 10.0.0.5
                users:
                  - { username: anna, password: "", pool_size: 5 }     # her password opens the server, too
                  - username: report                                   # works as report_ro
                    password: ""
                    server_username: report_ro
                    server_password: "${REPORT_PASSWORD}"
                    pool_size: 5
            """
        ),
        (
            "LDAP: a directory checks the password, one server user works for all",
            """
            general:
              admin_username: admin
              admin_password: "${ADMIN_PASSWORD}"
              pg_hba:
                content: |
                  host shop all 10.0.0.0/8 ldap ldapserver=ldap.example.org ldaptls=1 ldapprefix="uid=" \
            ldapsuffix=",dc=example,dc=org"
            pools:
              shop:
                server_host: 10.0.0.5
                auth_query: { user: authenticator, server_user: shop_app, server_password: "${SHOP_APP}" }
            """
        ),
        (
            "JWT: a token instead of a password, and minted tokens towards the server",
            """
            general:
              admin_username: admin
              admin_password: "${ADMIN_PASSWORD}"
              pg_hba:
                content: |
                  host shop all 10.0.0.0/8 jwt keys=jwks.json issuer="https://id.example.org" audience=postgres \
            map=people
              pg_ident:
                content: |
                  people /^(.*)@example\\.org$ \\1
            pools:
              shop:
                server_host: 10.0.0.5
                users:
                  - username: anna
                    password: ""
                    server_username: anna
                    server_password: "jwt-priv-key-fpath:gateway.pem"
                    pool_size: 5
            """
        ),
        (
            "Talos: the roles in a token name the pool",
            """
            general:
              admin_username: admin
              admin_password: "${ADMIN_PASSWORD}"
              pg_hba:
                content: |
                  host all talos 10.0.0.0/8 talos
            talos:
              keys: [2026.pem]
              databases: [shop]
            pools:
              shop:
                server_host: 10.0.0.5
                users:
                  - { username: read_only, password: "", server_username: shop_ro, server_password: "${RO}", \
            pool_size: 20 }
            """
        ),
        (
            "Server users: by role and by name, as whom people work",
            """
            general:
              admin_username: admin
              admin_password: "${ADMIN_PASSWORD}"
              pg_hba:
                content: |
                  host shop all 10.0.0.0/8 jwt keys=jwks.json roles_claim=realm_access.roles
                  host shop all 10.1.0.0/16 ldap ldapserver=ldap.example.org ldaptls=1 ldapbasedn="dc=example,dc=org"
            pools:
              shop:
                server_host: 10.0.0.5
                server_users:
                  - { roles: [owner], server_username: app_owner, server_password: "${APP_OWNER}", pool_size: 5 }
                  - { users: ["/^svc_"], server_username: app_ro, server_password: "${APP_RO}" }
                  - { auth_providers: [ldap] }     # under their own name and password
                  - { server_username: app_rw, server_password: "${APP_RW}" }
            """
        ),
    ]

    static var examplesSection: String {
        let parts = Self.examples.map { "\n**\($0.title)**\n\n```yaml\n\($0.text)\n```\n" }
        return """

            ## Worked examples

            The pages of [PAM](providers/pam.md), [LDAP](providers/ldap.md), [JWT](providers/jwt.md) and \
            [Talos](providers/talos.md) have every option of their rules. Passwords and tokens cross the wire as they \
            are: rules of type `hostssl` belong to such methods where clients come over a network.

            """ + parts.joined()
    }
}
