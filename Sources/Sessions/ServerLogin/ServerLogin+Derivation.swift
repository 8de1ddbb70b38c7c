package import PGWire

/// The costly part of a proof by password: rounds of PBKDF2, as many as the server says. A value; may be computed on
/// any thread. Two that are equal lead to the same keys; comparing them takes the time that comparing secrets takes.
package struct SCRAMDerivation: Sendable, Equatable {
    let password: SecretBytes
    let salt: [UInt8]
    /// Rounds of PBKDF2.
    package let iterations: Int

    package init(password: SecretBytes, salt: [UInt8], iterations: Int) {
        self.password = password
        self.salt = salt
        self.iterations = iterations
    }

    /// These keys are of the salt and the rounds that are asked for.
    package func isAnswered(by keys: SCRAMKeys) -> Bool { keys.fits(salt: self.salt, iterations: self.iterations) }

    /// Computes for milliseconds up to seconds.
    package var keys: SCRAMKeys { SCRAMKeys(password: self.password, salt: self.salt, iterations: self.iterations) }
}

/// For drivers with other things to do: what is costly is computed elsewhere before the message is taken. Without that
/// `receive` computes it itself.
extension ServerLogin {
    /// Rounds that `receive` may compute while others wait; twice what PostgreSQL asks for unless it is told otherwise.
    private static let roundsAtHand = 8192

    /// What has to be computed for the answer to a message; nil when that takes no time worth speaking of.
    package func derivation(for message: WireMessage) -> SCRAMDerivation? {
        guard message.kind == BackendMessageKind.authentication, case .scramStarted(let client) = self.state
        else { return nil }
        var reader = ByteReader(message.body)
        guard (try? reader.int32()) == AuthenticationCode.saslContinue else { return nil }
        return client.derivation(for: reader.rest(), above: Self.roundsAtHand)
    }

    /// What `derivation(for:)` led to.
    package mutating func take(_ keys: SCRAMKeys) {
        guard case .scramStarted(var client) = self.state else { return }
        client.know(keys)
        self.state = .scramStarted(client)
    }
}
