public import Sessions

/// Who a client is after its login, and what it lends the gateway to log in at servers in its name. Immutable.
public final class AuthenticatedIdentity: Sendable {
    /// The user whose pool the session uses; a provider may map the name of the startup message to another one.
    public let user: String
    /// Passthrough: what the login proved, usable at a server that keeps the same secret.
    public let credential: ServerCredential
    /// The provider's own name, for logs.
    public let provider: String
    /// The hba method that was satisfied.
    public let method: String
    /// Where the secret came from that the proof was checked with; nil when none was needed.
    public let secretOrigin: SecretOrigin?

    public init(
        user: String,
        credential: ServerCredential,
        provider: String,
        method: String,
        secretOrigin: SecretOrigin? = nil
    ) {
        self.user = user
        self.credential = credential
        self.provider = provider
        self.method = method
        self.secretOrigin = secretOrigin
    }
}
