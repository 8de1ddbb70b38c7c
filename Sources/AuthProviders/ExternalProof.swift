/// What the logins of a provider leave the gateway to log in at servers with, where no secret of the settings or of
/// auth_query was needed. Settings are checked with it when they load: a user who is proven and then has no way into
/// any server should not be the first to notice.
public enum ExternalProof: Sendable, Equatable {
    /// The client's clear password, which the server may take as well.
    case clearPassword
    /// Nothing that a server takes: it has to trust the gateway, or the settings have a password for it.
    case nameAlone
    /// The same; and users whom neither the settings nor auth_query know are refused.
    case nameOfKnownUser
}

extension AuthProvider {
    /// Whether its logins need a secret of the settings or of auth_query; true where that cannot be told.
    package var asksForSecret: Bool {
        switch self.externalProof {
        case nil, .nameOfKnownUser: true
        case .clearPassword, .nameAlone: false
        }
    }
}
