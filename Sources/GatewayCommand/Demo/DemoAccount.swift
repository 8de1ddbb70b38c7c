/// A user of the demonstration. The password is printed on the terminal on purpose; it opens nothing but a
/// database that is thrown away.
struct DemoAccount: Sendable {
    /// How PostgreSQL keeps the password, as `password_encryption` spells it.
    enum Encryption: String, Sendable {
        case md5
        case scram = "scram-sha-256"

        var verifierPrefix: String {
            switch self {
            case .md5: "md5"
            case .scram: "SCRAM-SHA-256$"
            }
        }
    }

    let name: String
    let password: String
    let encryption: Encryption

    /// One user for each kind of stored password.
    static let all = [
        DemoAccount(name: "app", password: "app-demo", encryption: .scram),
        DemoAccount(name: "legacy", password: "legacy-demo", encryption: .md5),
    ]
    /// Looks up users whom the settings do not know; may do nothing else.
    static let authenticator = DemoAccount(name: "authenticator", password: "authenticator-demo", encryption: .scram)
    /// To be made by whoever tries the demonstration.
    static let newcomer = DemoAccount(name: "carol", password: "carol-demo", encryption: .scram)
    /// The user of the console; known to the gateway only.
    static let console = DemoAccount(name: "admin", password: "console-demo", encryption: .md5)
}
