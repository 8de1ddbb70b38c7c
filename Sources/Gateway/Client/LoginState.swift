import AuthProviders
import HBA
import PGWire
import Reactor
import Sessions

/// What comes of asking a server for a welcome.
enum Lesson {
    case learnt(Welcome)
    case failed(CheckoutFailure)
    /// The server is gone, for a reason of its own: another one may tell.
    case serverLost(CheckoutFailure)
}

/// What a client needs only until it is logged in.
///
/// Belongs to the client's worker. The continuation is resumed exactly once: by the message it waits for, or by the end
/// of the login. `@unchecked Sendable` because its task runs on that worker, too.
final class LoginState: @unchecked Sendable {
    /// The server that the login's task waits for; it needs a check where it was idle for so long that it may not
    /// answer.
    typealias Grant = Result<(server: ServerConnection, needsCheck: Bool), CheckoutFailure>

    enum Stage: UInt8 {
        /// The policy is asked, or the provider.
        case deciding
        /// What they ask has to be looked up: the policy something about the client, a rule the map of a certificate.
        case lookingUp
        /// The login is a machine: its provider waits for nobody but the client.
        case exchange
        /// The login is a task: its provider has to wait for more than the client.
        case task
        /// The exchange is over, or the client has proved who it is.
        case over
    }

    let version: ProtocolVersion
    /// When the startup packet had been understood.
    let began = MonotonicClock.now()
    /// Says also that there is an exchange: to look whether an existential is there copies it.
    var stage = Stage.deciding
    private var exchange: (any LoginExchange)?
    /// What the exchange has asked the client.
    var asked: LoginQuestion?
    /// Goes out in one piece with what follows.
    var unsent: [UInt8] = []
    var proof: Task<Void, Never>?
    /// What the login's task waits for; nil until it waits for anything.
    private var waiters: LoginWaiters?
    /// Pinned; released with the login, or handed to the session.
    private(set) var pool: Pool?
    /// Who the client has proved to be.
    var identity: AuthenticatedIdentity?
    /// The provider that decides asks for a secret, of the settings or of auth_query.
    var asksForSecret = false
    /// The client has been asked for a proof, or waits for that.
    var isChallenged = false
    var hold: LoginHold?
    /// Why the login ends early.
    var endReason: AuthFailure?
    /// Counts the verdict, until there is one.
    var providerUse: ProviderUse?
    /// When the client was asked first; before that, when the provider was.
    var provingSince: MonotonicMicroseconds = 0
    /// Its failure stands in the log.
    var isReported = false
    /// Which rule decided.
    var decided: Snapshot.DecidedRule?
    /// The same for the log.
    var rule: String { self.decided.map { "\($0.rule.file):\($0.rule.line)" } ?? "" }

    /// Nothing else has to be told that the login ends, and nothing is to be heard yet: of an exchange that has asked
    /// for a secret afresh that is whether its proof has failed.
    var endsAtOnce: Bool { self.stage == .lookingUp || self.stage == .exchange && self.asked != nil }
    /// Somebody waits for the client's next message.
    var awaitsMessage: Bool { self.hold == nil && (self.asked != nil || self.waiters?.message != nil) }
    /// Its task waits for a server.
    var awaitsServer: Bool { self.waiters?.server != nil }

    init(version: ProtocolVersion) { self.version = version }

    deinit { self.pool?.unpin() }

    /// Takes over a pool that is pinned.
    func keep(_ pool: Pool) {
        self.pool?.unpin()
        self.pool = pool
    }

    /// The pool with its pin.
    func takePool() -> Pool? {
        defer { self.pool = nil }
        return self.pool
    }

    // MARK: The exchange

    /// Keeps an exchange that has been started.
    func play(_ exchange: consuming any LoginExchange) {
        self.exchange = exchange
        self.stage = .exchange
    }

    /// Nil when the exchange is over.
    func receive(_ answer: LoginAnswer) throws(AuthFailure) -> LoginStep? {
        try self.exchange?.receive(answer)
    }

    func dropExchange() {
        self.exchange = nil
        self.stage = .over
    }

    // MARK: The task

    func wait(_ continuation: CheckedContinuation<Result<[UInt8], AuthFailure>, Never>) {
        self.madeWaiters().message = continuation
    }

    func wait(_ continuation: CheckedContinuation<Grant, Never>) {
        self.madeWaiters().server = continuation
    }

    func wait(_ continuation: CheckedContinuation<Lesson, Never>) {
        self.madeWaiters().welcome = continuation
    }

    private func madeWaiters() -> LoginWaiters {
        if let waiters = self.waiters { return waiters }
        let waiters = LoginWaiters()
        self.waiters = waiters
        return waiters
    }

    func deliverMessage(_ result: Result<[UInt8], AuthFailure>) {
        guard let waiters = self.waiters, let waiter = waiters.message else { return }
        waiters.message = nil
        waiter.resume(returning: result)
    }

    func deliverServer(_ result: Grant) {
        guard let waiters = self.waiters, let waiter = waiters.server else { return }
        waiters.server = nil
        waiter.resume(returning: result)
    }

    func deliverWelcome(_ lesson: Lesson) {
        guard let waiters = self.waiters, let waiter = waiters.welcome else { return }
        waiters.welcome = nil
        waiter.resume(returning: lesson)
    }

    /// Ends whatever the login waits for.
    func end(with failure: AuthFailure) {
        self.endReason = self.endReason ?? failure
        self.proof?.cancel()
        self.deliverMessage(.failure(failure))
        self.deliverServer(.failure(.shuttingDown))
        self.deliverWelcome(.failed(.shuttingDown))
    }
}

/// What a login's task waits for. Apart from the login: most logins have no task, and what is not there needs not be
/// destroyed. Belongs to the client's worker.
private final class LoginWaiters {
    /// The password message (PasswordMessage, SASLInitialResponse, SASLResponse) that the provider waits for.
    var message: CheckedContinuation<Result<[UInt8], AuthFailure>, Never>?
    /// The server the login waits for, when nobody yet knows what PostgreSQL reports to such a session.
    var server: CheckedContinuation<LoginState.Grant, Never>?
    var welcome: CheckedContinuation<Lesson, Never>?
}
