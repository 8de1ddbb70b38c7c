import AuthProviders
import HBA
import PGWire
import Reactor
import Sessions

/// What a client needs only until it is logged in.
///
/// Belongs to the client's worker. The continuation is resumed exactly once: by the message it waits for, or by the end
/// of the login.
final class LoginState {
    let version: ProtocolVersion
    /// The password message (PasswordMessage, SASLInitialResponse, SASLResponse) that the provider waits for.
    var messageWaiter: CheckedContinuation<Result<[UInt8], AuthFailure>, Never>?
    /// The server the login waits for, when nobody yet knows what PostgreSQL reports to such a session.
    var serverWaiter: CheckedContinuation<Result<ServerConnection, CheckoutFailure>, Never>?
    var welcomeWaiter: CheckedContinuation<Result<Welcome, CheckoutFailure>, Never>?
    var pool: Pool?
    /// Why the login ends early.
    var endReason: AuthFailure?
    /// Which rule decided.
    var decided: Snapshot.DecidedRule?
    /// The same for the log.
    var rule: String { self.decided.map { "\($0.rule.file):\($0.rule.line)" } ?? "" }

    init(version: ProtocolVersion) { self.version = version }

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
        var writer = MessageWriter()
        writer.authenticationCleartextPassword()
        return try await self.password(after: writer.bytes)
    }

    func requestMD5Password(salt: [UInt8]) async throws(AuthFailure) -> SecretBytes {
        var writer = MessageWriter()
        writer.authenticationMD5Password(salt: salt)
        return try await self.password(after: writer.bytes)
    }

    func requestSASL(mechanisms: [String]) async throws(AuthFailure) -> (mechanism: String, data: [UInt8]?) {
        var writer = MessageWriter()
        writer.authenticationSASL(mechanisms: mechanisms)
        let body = try await self.message(after: writer.bytes)
        do throws(WireError) {
            var reader = ByteReader(body)
            let mechanism = try reader.cString()
            let length = try reader.int32()
            let data: [UInt8]? = length < 0 ? nil : try reader.bytes(Int(length))
            try reader.expectEnd()
            return (mechanism, data)
        } catch {
            throw .protocolViolation("malformed SASLInitialResponse message")
        }
    }

    func continueSASL(_ challenge: [UInt8]) async throws(AuthFailure) -> [UInt8] {
        var writer = MessageWriter()
        writer.authenticationSASLContinue(challenge)
        return try await self.message(after: writer.bytes)
    }

    func finishSASL(_ data: [UInt8]) async throws(AuthFailure) {
        var writer = MessageWriter()
        writer.authenticationSASLFinal(data)
        self.client.send(writer.bytes)
    }

    private func password(after request: [UInt8]) async throws(AuthFailure) -> SecretBytes {
        var body = try await self.message(after: request)
        guard body.last == 0, body.firstIndex(of: 0) == body.count - 1 else {
            throw .protocolViolation("malformed password message")
        }
        body.removeLast()
        return SecretBytes(wiping: &body)
    }

    private func message(after request: [UInt8]) async throws(AuthFailure) -> [UInt8] {
        let client = self.client
        guard let login = client.login, login.endReason == nil else { throw .clientLeft() }
        client.send(request)
        let result = await withCheckedContinuation { continuation in
            login.messageWaiter = continuation
            client.resumeReading()
        }
        return try result.get()
    }
}
