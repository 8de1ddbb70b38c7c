/// The client side of one SCRAM-SHA-256 exchange (RFC 5802, RFC 7677), towards a PostgreSQL server.
///
/// A value that belongs to one server login. Proves knowledge of a password, or of keys won from somebody's proof.
package struct SCRAMClient: Sendable {
    /// What the proof is made from.
    package enum Secret: Sendable {
        /// `known` are keys derived from the same password before: when the server's salt and count still fit them,
        /// the costly derivation is skipped.
        case password(SecretBytes, known: SCRAMKeys? = nil)
        case keys(SCRAMKeys)
    }

    /// Whether the login is bound to the server's certificate.
    package enum ChannelBinding: Sendable {
        /// It is not, and could not be: no TLS, or not wanted.
        case unsupported
        /// It could be, but the server does not offer it; a server that does will notice.
        case notOffered
        /// It is: the mechanism is ``SCRAMServer/bindingMechanism``.
        ///
        /// - Parameter endpoint: `tls-server-end-point` of the server's certificate.
        case bound(endpoint: [UInt8])
    }

    /// Successors: `.start` -> `.challenged` -> `.proven` -> `.finished`; every error leads to `.finished`.
    private enum State {
        case start
        case challenged
        case proven(serverSignature: [UInt8]?)
        case finished
    }

    private var secret: Secret
    /// No other identity, in any case.
    private let gs2Header: [UInt8]
    /// Behind the gs2 header in `c=`; empty without channel binding.
    private let bindingData: [UInt8]
    /// client-first-message-bare
    private let bare: [UInt8]
    private let nonce: [UInt8]
    private let iterationsMax: Int
    private var state = State.start

    /// The keys the proof was made with; set by `receiveFirst`.
    package private(set) var keys: SCRAMKeys?

    /// - Parameters:
    ///   - userName: PostgreSQL ignores it and takes the one of the startup message; libpq leaves it empty, too.
    ///   - nonce: printable characters without a comma, fresh for each exchange.
    ///   - iterationsMax: most rounds of PBKDF2 a server can make us compute; at most `SCRAMVerifier.iterationsMax`.
    package init(
        secret: Secret,
        userName: String = "",
        nonce: [UInt8] = RandomBytes.nonce(),
        iterationsMax: Int = SCRAMVerifier.iterationsMax,
        channelBinding: ChannelBinding = .unsupported
    ) {
        self.secret = secret
        switch channelBinding {
        case .unsupported: (self.gs2Header, self.bindingData) = (Array("n,,".utf8), [])
        case .notOffered: (self.gs2Header, self.bindingData) = (Array("y,,".utf8), [])
        case .bound(let endpoint): (self.gs2Header, self.bindingData) = (SCRAMBinding.header, endpoint)
        }
        self.bare = Array("n=".utf8) + Self.escape(userName) + Array(",r=".utf8) + nonce
        self.nonce = nonce
        self.iterationsMax = iterationsMax
    }

    /// client-first-message.
    package mutating func start() -> [UInt8] {
        self.state = .challenged
        return self.gs2Header + self.bare
    }

    /// Takes server-first-message and returns client-final-message.
    package mutating func receiveFirst(_ message: [UInt8]) throws(SCRAMFailure) -> [UInt8] {
        guard case .challenged = self.state else {
            self.state = .finished
            throw .outOfOrder
        }
        self.state = .finished
        let challenge = try self.readFirst(message)
        let keys = try self.makeKeys(salt: challenge.salt, iterations: challenge.iterations)
        self.keys = keys
        let binding = Base64.encode(self.gs2Header + self.bindingData)
        let withoutProof = Array("c=".utf8) + binding + Array(",r=".utf8) + challenge.nonce
        let comma = [UInt8(ascii: ",")]
        let transcript = self.bare + comma + message + comma + withoutProof
        let storedKey = SCRAMMath.storedKey(clientKey: keys.clientKey)
        let signature = KeyedHash(key: storedKey).authenticate(transcript)
        let proof = SCRAMMath.proof(clientKey: keys.clientKey, signature: signature)
        self.state = .proven(
            serverSignature: keys.serverKey.map { key in SCRAMMath.hmac(key: key, message: transcript) }
        )
        return withoutProof + Array(",p=".utf8) + Base64.encode(proof)
    }

    /// Takes server-final-message and checks the server's signature where the ServerKey is known.
    package mutating func receiveFinal(_ message: [UInt8]) throws(SCRAMFailure) {
        guard case .proven(let expected) = self.state else {
            self.state = .finished
            throw .outOfOrder
        }
        self.state = .finished
        var attributes = try SCRAMAttributes(message)
        let (name, value) = try attributes.takeAttribute(first: true)
        if name == UInt8(ascii: "e") {
            throw .serverError(SCRAMAttributes.printable(value))
        }
        guard name == UInt8(ascii: "v"), attributes.isAtEnd else { throw .malformed("server-final-message") }
        guard let signature = Base64.decode(value), signature.count == SCRAMMath.keyLength else {
            throw .malformed("server signature")
        }
        guard let expected else { return }
        guard ConstantTime.areEqual(signature, expected) else { throw .serverSignatureInvalid }
    }

    /// The `saslname` of RFC 5802 section 5.1: `,` and `=` in their escaped forms.
    private static func escape(_ name: String) -> [UInt8] {
        name.utf8.flatMap { byte in
            switch byte {
            case UInt8(ascii: ","): Array("=2C".utf8)
            case UInt8(ascii: "="): Array("=3D".utf8)
            default: [byte]
            }
        }
    }

    /// What `receiveFirst` would compute for this message, if it is more than `rounds` of PBKDF2.
    func derivation(for message: [UInt8], above rounds: Int) -> SCRAMDerivation? {
        guard case .challenged = self.state, case .password(let password, let known) = self.secret,
            let challenge = try? self.readFirst(message), challenge.iterations > rounds,
            challenge.iterations <= self.iterationsMax,
            known?.fits(salt: challenge.salt, iterations: challenge.iterations) != true
        else { return nil }
        return SCRAMDerivation(password: password, salt: challenge.salt, iterations: challenge.iterations)
    }

    /// Keys derived from the password elsewhere; `receiveFirst` uses them if they fit.
    mutating func know(_ keys: SCRAMKeys) {
        guard case .password(let password, _) = self.secret else { return }
        self.secret = .password(password, known: keys)
    }

    private struct Challenge {
        let nonce: [UInt8]
        let salt: [UInt8]
        let iterations: Int
    }

    /// `r=<nonce>,s=<salt>,i=<iterations>` and nothing else; the nonce begins with ours and adds to it.
    private func readFirst(_ message: [UInt8]) throws(SCRAMFailure) -> Challenge {
        var attributes = try SCRAMAttributes(message)
        switch attributes.next {
        case UInt8(ascii: "m"):
            throw .extensionRefused
        case UInt8(ascii: "e"):
            throw .serverError(SCRAMAttributes.printable(try attributes.takeAttribute(first: true).value))
        default:
            break
        }
        let nonce = try attributes.take(attribute: UInt8(ascii: "r"), first: true)
        guard SCRAMAttributes.isNonce(nonce) else { throw .malformed("nonce") }
        guard nonce.count > self.nonce.count, nonce.starts(with: self.nonce) else { throw .nonceMismatch }
        let salt = Base64.decode(try attributes.take(attribute: UInt8(ascii: "s")))
        guard let salt, (1...SCRAMVerifier.saltBytesMax).contains(salt.count) else { throw .malformed("salt") }
        let count = try attributes.take(attribute: UInt8(ascii: "i"))
        guard let iterations = SCRAMVerifier.iterations(parsing: count) else { throw .malformed("iteration count") }
        guard attributes.isAtEnd else { throw .malformed("bytes behind the iteration count") }
        return Challenge(nonce: Array(nonce), salt: salt, iterations: iterations)
    }

    private func makeKeys(salt: [UInt8], iterations: Int) throws(SCRAMFailure) -> SCRAMKeys {
        switch self.secret {
        case .keys(let keys):
            guard keys.fits(salt: salt, iterations: iterations) else { throw .verifierDiffers }
            return keys
        case .password(_, let known?) where known.fits(salt: salt, iterations: iterations):
            return known
        case .password(let password, _):
            guard iterations <= self.iterationsMax else { throw .tooManyIterations(iterations) }
            return SCRAMKeys(password: password, salt: salt, iterations: iterations)
        }
    }
}
