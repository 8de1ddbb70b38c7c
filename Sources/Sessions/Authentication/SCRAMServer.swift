/// The server side of one SCRAM-SHA-256 exchange (RFC 5802, RFC 7677), as PostgreSQL plays it (protocol chapter
/// 55.3.1).
///
/// A value that belongs to one login. The user name inside the messages is ignored: the startup message named the
/// user. Mock exchanges take the same path with a verifier that nobody's password fits, and fail at the same point.
package struct SCRAMServer: Sendable {
    /// What a verified proof is worth.
    package struct Success: Sendable {
        /// `v=...`, to be sent in AuthenticationSASLFinal.
        package let serverFinal: [UInt8]
        /// The client's key, won from its proof, and the verifier's ServerKey: they log in at servers in its name.
        package let keys: SCRAMKeys
    }

    package static let mechanism = "SCRAM-SHA-256"
    /// The one that binds the login to our certificate: a proof made for somebody in the middle is worth nothing here.
    package static let bindingMechanism = "SCRAM-SHA-256-PLUS"

    /// Successors: `.start` -> `.challenged` -> `.finished`; every error leads to `.finished`.
    private enum State {
        case start
        case challenged(Challenge)
        case finished
    }

    /// What the client's final message is held against.
    private struct Challenge {
        /// What the client's `c=` has to be: the gs2 header as it was sent, and behind `p=` the binding data.
        let binding: [UInt8]
        /// client-first-message-bare "," server-first-message
        var transcript: [UInt8]
        /// Client nonce and server nonce joined.
        let nonce: [UInt8]
    }

    private let verifier: SCRAMVerifier
    private let isMock: Bool
    private let serverNonce: [UInt8]
    private let channelBinding: [UInt8]?
    private var state = State.start

    /// - Parameters:
    ///   - isMock: the exchange fails at its end whatever the client proves.
    ///   - serverNonce: at least one printable character without a comma; fresh for each exchange.
    ///   - channelBinding: `tls-server-end-point` of the connection; nil without TLS, and for certificates that have
    ///     none.
    package init(
        verifier: SCRAMVerifier,
        isMock: Bool,
        serverNonce: [UInt8] = RandomBytes.nonce(),
        channelBinding: [UInt8]? = nil
    ) {
        self.verifier = verifier
        self.isMock = isMock
        self.serverNonce = serverNonce
        self.channelBinding = channelBinding
    }

    /// The mechanisms to offer, the strongest first.
    package var mechanisms: [String] { self.channelBinding == nil ? Self.plainMechanisms : Self.allMechanisms }

    // Made once, not for every login.
    private static let plainMechanisms = [Self.mechanism]
    private static let allMechanisms = [Self.bindingMechanism, Self.mechanism]

    /// Takes client-first-message and returns server-first-message.
    ///
    /// - Parameter mechanism: the one of ``mechanisms`` that the client has chosen.
    package mutating func receiveFirst(
        _ message: [UInt8],
        mechanism: String = Self.mechanism
    ) throws(SCRAMFailure) -> [UInt8] {
        guard case .start = self.state else { throw self.fail(.outOfOrder) }
        self.state = .finished
        var attributes = try SCRAMAttributes(message)
        let binding = try self.readGS2Header(&attributes, binds: mechanism == Self.bindingMechanism)
        let bare = message[attributes.offset...]
        var nonce = try Self.readBare(&attributes)
        nonce.append(contentsOf: self.serverNonce)
        let serverFirst = self.serverFirst(nonce: nonce)
        var transcript: [UInt8] = []
        // Room for client-final-message-without-proof as well, which usually is the nonce and nine bytes.
        transcript.reserveCapacity(bare.count + serverFirst.count + nonce.count + 32)
        transcript.append(contentsOf: bare)
        transcript.append(UInt8(ascii: ","))
        transcript.append(contentsOf: serverFirst)
        self.state = .challenged(Challenge(binding: binding, transcript: transcript, nonce: nonce))
        return serverFirst
    }

    /// `r=<nonce>,s=<salt>,i=<iterations>`
    private func serverFirst(nonce: [UInt8]) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(nonce.count + self.verifier.salt.count * 2 + 24)
        text.append(UInt8(ascii: "r"))
        text.append(UInt8(ascii: "="))
        text.append(contentsOf: nonce)
        text.append(UInt8(ascii: ","))
        text.append(UInt8(ascii: "s"))
        text.append(UInt8(ascii: "="))
        text.append(contentsOf: Base64.encode(self.verifier.salt))
        text.append(contentsOf: self.verifier.keys.iterationsText)
        return text
    }

    /// Takes client-final-message; throws `.proofInvalid` for a wrong password and for every mock.
    package mutating func receiveFinal(_ message: [UInt8]) throws(SCRAMFailure) -> Success {
        guard case .challenged(var challenge) = self.state else { throw self.fail(.outOfOrder) }
        self.state = .finished
        var (withoutProof, proof) = try Self.readFinal(message, challenge: challenge)
        // In place, where it has room for this.
        challenge.transcript.append(UInt8(ascii: ","))
        challenge.transcript.append(contentsOf: withoutProof)
        let keys = self.verifier.keys
        let signature = keys.storedHash.authenticate(challenge.transcript)
        let clientKey = SCRAMMath.clientKey(proof: &proof, signature: signature)
        let isRight = keys.storedKey.matches(SCRAMMath.digest(clientKey))
        let serverSignature = keys.serverHash.authenticate(challenge.transcript)
        guard isRight, !self.isMock else { throw .proofInvalid }
        return Success(
            serverFinal: Self.serverFinal(signature: serverSignature),
            keys: SCRAMKeys(
                unchecked: clientKey,
                serverKey: keys.serverKey,
                salt: self.verifier.salt,
                iterations: self.verifier.iterations
            )
        )
    }

    /// `v=<signature>`
    private static func serverFinal(signature: Digest) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(SCRAMMath.keyLength * 2)
        text.append(UInt8(ascii: "v"))
        text.append(UInt8(ascii: "="))
        text.append(contentsOf: unsafe signature.withUnsafeBytes { unsafe Base64.encode($0) })
        return text
    }

    private mutating func fail(_ failure: SCRAMFailure) -> SCRAMFailure {
        self.state = .finished
        return failure
    }

    /// `n,,`, `y,,` or `p=tls-server-end-point,,`. Returns what `c=` has to be in the end.
    ///
    /// `y` is fine where no binding mechanism is offered: nothing can have been stripped on the way.
    ///
    /// - Parameter binds: the client has chosen the mechanism that binds to the channel.
    private func readGS2Header(
        _ attributes: inout SCRAMAttributes,
        binds: Bool
    ) throws(SCRAMFailure) -> [UInt8] {
        let flag = try attributes.takeByte("gs2 flag")
        switch flag {
        case UInt8(ascii: "n"), UInt8(ascii: "y"):
            guard !binds else { throw .channelBindingMissing }
            guard flag == UInt8(ascii: "n") || self.channelBinding == nil else { throw .channelBindingDowngraded }
        case UInt8(ascii: "p"):
            guard binds, let channelBinding else { throw .channelBindingRefused }
            try attributes.take(UInt8(ascii: "="), "gs2 flag")
            let type = attributes.takeValue()
            guard type.elementsEqual(SCRAMBinding.type.utf8) else {
                throw .channelBindingUnsupported(SCRAMAttributes.printable(type))
            }
            try Self.readNoIdentity(&attributes)
            return SCRAMBinding.header + channelBinding
        default: throw .malformed("gs2 flag")
        }
        try Self.readNoIdentity(&attributes)
        return [flag, UInt8(ascii: ","), UInt8(ascii: ",")]
    }

    /// The rest of the gs2 header: `,,`.
    private static func readNoIdentity(_ attributes: inout SCRAMAttributes) throws(SCRAMFailure) {
        try attributes.take(UInt8(ascii: ","), "gs2 header")
        if attributes.next == UInt8(ascii: "a") {
            throw .authorizationIdentityRefused
        }
        try attributes.take(UInt8(ascii: ","), "gs2 header")
    }

    /// `n=<ignored>,r=<nonce>` and optional extensions, which RFC 5802 section 5.1 says to ignore. Returns the nonce.
    private static func readBare(_ attributes: inout SCRAMAttributes) throws(SCRAMFailure) -> [UInt8] {
        if attributes.next == UInt8(ascii: "m") {
            throw .extensionRefused
        }
        _ = try attributes.take(attribute: UInt8(ascii: "n"), first: true)
        let nonce = try attributes.take(attribute: UInt8(ascii: "r"))
        guard SCRAMAttributes.isNonce(nonce) else { throw .malformed("nonce") }
        while !attributes.isAtEnd {
            _ = try attributes.takeAttribute()
        }
        return Array(nonce)
    }

    /// `c=<gs2 header and binding data>,r=<nonce>[,extensions],p=<proof>`: the part before the proof, and the proof.
    private static func readFinal(
        _ message: [UInt8],
        challenge: Challenge
    ) throws(SCRAMFailure) -> (withoutProof: ArraySlice<UInt8>, proof: [UInt8]) {
        var attributes = try SCRAMAttributes(message)
        let binding = try attributes.take(attribute: UInt8(ascii: "c"), first: true)
        let nonce = try attributes.take(attribute: UInt8(ascii: "r"))
        var proofOffset = attributes.offset
        var attribute = try attributes.takeAttribute()
        while attribute.name != UInt8(ascii: "p") {
            proofOffset = attributes.offset
            attribute = try attributes.takeAttribute()
        }
        guard attributes.isAtEnd else { throw .malformed("bytes behind the proof") }
        guard let proof = Base64.decode(attribute.value), proof.count == SCRAMMath.keyLength else {
            throw .malformed("proof")
        }
        guard let binding = Base64.decode(binding), ConstantTime.areEqual(binding, challenge.binding) else {
            throw .channelBindingMismatch
        }
        guard ConstantTime.areEqual(nonce, challenge.nonce) else { throw .nonceMismatch }
        return (message[..<proofOffset], proof)
    }
}
