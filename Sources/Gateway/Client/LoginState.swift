import AuthProviders
import HBA
import PGWire
import Pooling
import Reactor
import Sessions

/// What a client needs only until it is logged in.
///
/// Belongs to the client's worker. The continuation is resumed exactly once: by the message it waits for, or by the end
/// of the login. `@unchecked Sendable` because its task runs on that worker, too.
final class LoginState: @unchecked Sendable {
    let version: ProtocolVersion
    /// When the startup packet had been understood.
    let began = MonotonicClock.now()
    /// The login as a machine, when its provider waits for nobody but the client.
    var exchange: (any LoginExchange)?
    /// What the exchange has asked the client.
    var question: LoginQuestion?
    /// Goes out in one piece with what follows.
    var unsent: [UInt8] = []
    /// The login as a task, when its provider has to wait for more than the client.
    var proof: Task<Void, Never>?
    /// The policy waits for something it has to know about the client.
    var isLookingUp = false
    /// The password message (PasswordMessage, SASLInitialResponse, SASLResponse) that the provider waits for.
    var messageWaiter: CheckedContinuation<Result<[UInt8], AuthFailure>, Never>?
    /// The server the login waits for, when nobody yet knows what PostgreSQL reports to such a session.
    var serverWaiter: CheckedContinuation<Result<ServerConnection, CheckoutFailure>, Never>?
    var welcomeWaiter: CheckedContinuation<Result<Welcome, CheckoutFailure>, Never>?
    /// Pinned; released with the login, or handed to the session.
    private(set) var pool: Pool?
    /// Who the client has proved to be.
    var identity: AuthenticatedIdentity?
    /// The client has been asked for a proof, or waits for that.
    var isChallenged = false
    var hold: LoginHold?
    /// Why the login ends early.
    var endReason: AuthFailure?
    /// Counts the verdict, until there is one.
    var providerUse: ProviderUse?
    /// When the client was asked first; before that, when the provider was.
    var challenged: MonotonicMicroseconds = 0
    /// Its failure stands in the log.
    var isReported = false
    /// Which rule decided.
    var decided: Snapshot.DecidedRule?
    /// The same for the log.
    var rule: String { self.decided.map { "\($0.rule.file):\($0.rule.line)" } ?? "" }

    /// Somebody waits for the client's next message.
    var awaitsMessage: Bool { self.hold == nil && (self.question != nil || self.messageWaiter != nil) }

    init(version: ProtocolVersion) { self.version = version }

    deinit { self.pool?.unpin() }

    /// Takes over a pool that is pinned.
    func hold(_ pool: Pool) {
        self.pool?.unpin()
        self.pool = pool
    }

    /// The pool with its pin.
    func takePool() -> Pool? {
        defer { self.pool = nil }
        return self.pool
    }

    func cancelWait(_ waiter: WaiterID) { _ = self.pool?.cancelWait(waiter) }

    func deliver(_ result: Result<[UInt8], AuthFailure>) {
        let waiter = self.messageWaiter
        self.messageWaiter = nil
        waiter?.resume(returning: result)
    }

    func deliver(_ result: Result<ServerConnection, CheckoutFailure>) {
        let waiter = self.serverWaiter
        self.serverWaiter = nil
        waiter?.resume(returning: result)
    }

    func deliver(_ result: Result<Welcome, CheckoutFailure>) {
        let waiter = self.welcomeWaiter
        self.welcomeWaiter = nil
        waiter?.resume(returning: result)
    }

    /// Ends whatever the login waits for.
    func end(with failure: AuthFailure) {
        self.endReason = self.endReason ?? failure
        self.proof?.cancel()
        self.deliver(.failure(failure) as Result<[UInt8], AuthFailure>)
        self.deliver(.failure(.shuttingDown) as Result<ServerConnection, CheckoutFailure>)
        self.deliver(.failure(.shuttingDown) as Result<Welcome, CheckoutFailure>)
    }
}

/// How a provider talks to the client: authentication requests out, password messages in (protocol chapter,
/// "Start-up"). Runs on the client's worker.
struct LoginDialogue: ClientDialogue {
    /// Bytes of one password message at most: room for tokens, not for mischief.
    static let messageLimit = 64 * 1024

    let client: ClientConnection

    func requestCleartextPassword() async throws(AuthFailure) -> SecretBytes {
        try LoginQuestion.password(from: await self.message(after: .cleartextPassword))
    }

    func requestMD5Password(salt: [UInt8]) async throws(AuthFailure) -> SecretBytes {
        try LoginQuestion.password(from: await self.message(after: .md5Password(salt: salt)))
    }

    func requestSASL(mechanisms: [String]) async throws(AuthFailure) -> (mechanism: String, data: [UInt8]?) {
        try LoginQuestion.saslInitial(from: await self.message(after: .sasl(mechanisms: mechanisms)))
    }

    func continueSASL(_ challenge: [UInt8]) async throws(AuthFailure) -> [UInt8] {
        try await self.message(after: .saslContinue(challenge))
    }

    func finishSASL(_ data: [UInt8]) async throws(AuthFailure) {
        var writer = MessageWriter()
        writer.authenticationSASLFinal(data)
        self.client.send(writer.bytes)
    }

    private func message(after question: LoginQuestion) async throws(AuthFailure) -> [UInt8] {
        let client = self.client
        guard let login = client.login, login.endReason == nil else { throw .clientLeft() }
        let result = await withCheckedContinuation { continuation in
            login.messageWaiter = continuation
            client.ask(question, login: login)
        }
        return try result.get()
    }
}
