public import Sessions

/// Who a client is after its login, and what it lends the gateway to log in at servers in its name. Immutable.
public final class AuthenticatedIdentity: Sendable {
    /// The user whose pool the session uses; a provider may map the name of the startup message to another one.
    public let user: String
    /// Passthrough: what the login proved, usable at a server that keeps the same secret.
    public let credential: ServerCredential
    /// What the proof says the user may be, such as the roles in a token: entries of `server_users` may ask for one.
    /// Empty when it says nothing.
    public let roles: [String]
    /// The provider's own name, for logs and for `auth_providers` of `server_users`.
    public let provider: String
    /// The hba method that was satisfied.
    public let method: String
    /// Where the secret came from that the proof was checked with; nil when none was needed.
    public let secretOrigin: SecretOrigin?
    /// What the session is called instead of what the client says; nil leaves it to the client.
    public let applicationName: String?
    /// When the session has to end; nil when its proof holds for good.
    public let end: End?

    /// The proof of a session does not hold for ever.
    public struct End: Sendable, Equatable {
        /// Microseconds since 1970. A session between transactions ends then.
        public let at: Int64
        /// A transaction may go on that long.
        public let grace: Duration

        /// A proof that holds until a moment, in microseconds since 1970.
        public init(at: Int64, grace: Duration) {
            self.at = at
            self.grace = grace
        }
    }

    /// What a provider returns for a client that has proved who it is.
    ///
    /// - Parameters:
    ///   - user: the proven name: the requested one byte for byte, or one that a map or a token says.
    ///   - credential: `.none`, or what the login leaves to log in at servers with.
    ///   - provider: the provider's ``AuthProvider/name``.
    ///   - method: the method of the rule.
    ///   - roles: what the proof says the user may be.
    ///   - secretOrigin: where the secret came from; nil when the gateway kept none.
    ///   - applicationName: what the session is called; nil leaves it to the client.
    ///   - end: when the session has to end; nil for never.
    public init(
        user: String,
        credential: ServerCredential,
        provider: String,
        method: String,
        roles: [String] = [],
        secretOrigin: SecretOrigin? = nil,
        applicationName: String? = nil,
        end: End? = nil
    ) {
        self.user = user
        self.credential = credential
        self.provider = provider
        self.method = method
        self.roles = roles
        self.secretOrigin = secretOrigin
        self.applicationName = applicationName
        self.end = end
    }
}
