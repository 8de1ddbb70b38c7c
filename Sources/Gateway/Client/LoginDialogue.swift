import AuthProviders
import PGWire
import Reactor
import Sessions

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
        let result: Result<[UInt8], AuthFailure> = await withCheckedContinuation { continuation in
            login.wait(continuation)
            client.ask(question, login: login)
        }
        return try result.get()
    }
}
