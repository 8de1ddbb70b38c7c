import Sessions
import Testing

@Suite struct SCRAMClientTests {
    private let vector = SCRAMVector.longPassword

    private func client(_ vector: SCRAMVector, secret: SCRAMClient.Secret? = nil) -> SCRAMClient {
        SCRAMClient(
            secret: secret ?? .password(SecretBytes(vector.password)),
            userName: vector.user,
            nonce: bytes(vector.clientNonce)
        )
    }

    private func keys(_ vector: SCRAMVector, withServerKey: Bool = true) throws -> SCRAMKeys {
        let verifier = try vector.verifier()
        let keys = SCRAMKeys(
            password: SecretBytes(vector.password),
            salt: verifier.salt,
            iterations: verifier.iterations
        )
        return try #require(
            SCRAMKeys(
                clientKey: keys.clientKey,
                serverKey: withServerKey ? verifier.serverKey : nil,
                salt: verifier.salt,
                iterations: verifier.iterations
            )
        )
    }

    private func failure(first message: [UInt8], secret: SCRAMClient.Secret? = nil, iterationsMax: Int = 100)
        -> SCRAMFailure?
    {
        var client = SCRAMClient(
            secret: secret ?? .password(SecretBytes(self.vector.password)),
            nonce: bytes(self.vector.clientNonce),
            iterationsMax: iterationsMax
        )
        _ = client.start()
        do throws(SCRAMFailure) {
            _ = try client.receiveFirst(message)
            return nil
        } catch {
            return error
        }
    }

    private func failure(final message: [UInt8], secret: SCRAMClient.Secret? = nil) throws -> SCRAMFailure? {
        var client = self.client(self.vector, secret: secret)
        _ = client.start()
        _ = try client.receiveFirst(bytes(self.vector.serverFirst))
        do throws(SCRAMFailure) {
            try client.receiveFinal(message)
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: SCRAMVector.all)
    func playsTheVectorFromThePassword(vector: SCRAMVector) throws {
        var client = self.client(vector)
        #expect(text(client.start()) == vector.clientFirst)
        #expect(text(try client.receiveFirst(bytes(vector.serverFirst))) == vector.clientFinal)
        try client.receiveFinal(bytes(vector.serverFinal))
        #expect(client.keys == (try self.keys(vector)))
    }

    @Test(arguments: SCRAMVector.all)
    func playsTheVectorFromKeys(vector: SCRAMVector) throws {
        var client = self.client(vector, secret: .keys(try self.keys(vector)))
        #expect(text(client.start()) == vector.clientFirst)
        #expect(text(try client.receiveFirst(bytes(vector.serverFirst))) == vector.clientFinal)
        try client.receiveFinal(bytes(vector.serverFinal))
    }

    @Test(arguments: [
        (SCRAMVector.bound, SCRAMClient.ChannelBinding.bound(endpoint: SCRAMVector.endpoint)),
        (.bindable, .notOffered), (.longPassword, .unsupported),
    ])
    func bindsAsItIsTold(vector: SCRAMVector, binding: SCRAMClient.ChannelBinding) throws {
        for secret in [SCRAMClient.Secret.password(SecretBytes(vector.password)), .keys(try self.keys(vector))] {
            var client = SCRAMClient(secret: secret, nonce: bytes(vector.clientNonce), channelBinding: binding)
            #expect(text(client.start()) == vector.clientFirst)
            #expect(text(try client.receiveFirst(bytes(vector.serverFirst))) == vector.clientFinal)
            try client.receiveFinal(bytes(vector.serverFinal))
        }
    }

    /// Keys won from a proof that was bound to one certificate make proofs for another one.
    @Test func wonKeysBindToTheNextServer() throws {
        let verifier = try self.vector.verifier()
        func logIn(_ secret: SCRAMClient.Secret, _ ours: [UInt8], _ theirs: [UInt8]) throws -> SCRAMKeys {
            var server = SCRAMServer(verifier: verifier, isMock: false, channelBinding: theirs)
            var client = SCRAMClient(secret: secret, channelBinding: .bound(endpoint: ours))
            let first = try server.receiveFirst(client.start(), mechanism: SCRAMServer.bindingMechanism)
            let success = try server.receiveFinal(try client.receiveFirst(first))
            try client.receiveFinal(success.serverFinal)
            return success.keys
        }
        let keys = try logIn(.password(SecretBytes(self.vector.password)), [1, 2, 3], [1, 2, 3])
        #expect(try logIn(.keys(keys), [4, 5], [4, 5]) == keys)
        #expect(throws: SCRAMFailure.channelBindingMismatch) { try logIn(.keys(keys), [1, 2, 3], [4, 5]) }
    }

    @Test func otherSaltOrCountIsADifferentVerifier() throws {
        let keys = SCRAMClient.Secret.keys(try self.keys(self.vector))
        #expect(self.failure(first: bytes("r=ab,s=c2FsdA==,i=2"), secret: keys) == nil)
        #expect(self.failure(first: bytes("r=ab,s=c2FsdB==,i=2"), secret: keys) == .malformed("salt"))
        #expect(self.failure(first: bytes("r=ab,s=c2FsdQ==,i=2"), secret: keys) == .verifierDiffers)
        #expect(self.failure(first: bytes("r=ab,s=c2FsdA==,i=4096"), secret: keys) == .verifierDiffers)
    }

    @Test func knownKeysAreUsedOnlyWhileTheyFit() throws {
        let foreign = try self.keys(.plain)
        let known = try #require(
            SCRAMKeys(clientKey: foreign.clientKey, serverKey: foreign.serverKey, salt: bytes("salt"), iterations: 2)
        )
        let secret = SCRAMClient.Secret.password(SecretBytes(self.vector.password), known: known)
        var fitting = self.client(self.vector, secret: secret)
        _ = fitting.start()
        // The wrong keys show that the derivation was skipped.
        #expect(text(try fitting.receiveFirst(bytes("r=ab,s=c2FsdA==,i=2"))) != self.vector.clientFinal)
        #expect(fitting.keys == known)
        var other = self.client(self.vector, secret: secret)
        _ = other.start()
        _ = try other.receiveFirst(bytes("r=ab,s=c2FsdA==,i=3"))
        #expect(
            other.keys == SCRAMKeys(password: SecretBytes(self.vector.password), salt: bytes("salt"), iterations: 3)
        )
    }

    @Test(arguments: [
        ("", SCRAMFailure.malformed("attribute name")), ("m=x,r=ab,s=c2FsdA==,i=2", .extensionRefused),
        ("e=other-error", .serverError("other-error")), ("e", .malformed("attribute without =")),
        ("s=c2FsdA==,r=ab,i=2", .malformed("attribute r expected")), ("r=,s=c2FsdA==,i=2", .malformed("nonce")),
        ("r=a,s=c2FsdA==,i=2", .nonceMismatch), ("r=ba,s=c2FsdA==,i=2", .nonceMismatch),
        ("r=A,s=c2FsdA==,i=2", .nonceMismatch),
        ("r=ab", .malformed("comma expected")), ("r=ab,i=2,s=c2FsdA==", .malformed("attribute s expected")),
        ("r=ab,s=,i=2", .malformed("salt")), ("r=ab,s=c2FsdA,i=2", .malformed("salt")),
        ("r=ab,s=c2FsdA==", .malformed("comma expected")), ("r=ab,s=c2FsdA==,i=", .malformed("iteration count")),
        ("r=ab,s=c2FsdA==,i=0", .malformed("iteration count")), ("r=ab,s=c2FsdA==,i=-1", .malformed("iteration count")),
        ("r=ab,s=c2FsdA==,i=02", .malformed("iteration count")),
        ("r=ab,s=c2FsdA==,i=2x", .malformed("iteration count")),
        ("r=ab,s=c2FsdA==,i=2147483648", .malformed("iteration count")),
        ("r=ab,s=c2FsdA==,i=10000001", .malformed("iteration count")),
        ("r=ab,s=c2FsdA==,i=18446744073709551618", .malformed("iteration count")),
        ("r=ab,s=c2FsdA==,i=101", .tooManyIterations(101)),
        ("r=ab,s=c2FsdA==,i=2,x=1", .malformed("bytes behind the iteration count")),
        ("r=ab,s=c2FsdA==,i=2,", .malformed("bytes behind the iteration count")),
        ("r=a\u{e4},s=c2FsdA==,i=2", .malformed("nonce")), ("r=ab\u{0},s=c2FsdA==,i=2", .malformed("NUL byte")),
    ])
    func firstMessageIsRefused(message: String, expected: SCRAMFailure) {
        #expect(self.failure(first: bytes(message)) == expected)
    }

    @Test func hugeServerNonceIsRefused() {
        let nonce = String(repeating: "b", count: SCRAMLimits.nonceBytesMax)
        #expect(self.failure(first: bytes("r=a\(nonce),s=c2FsdA==,i=2")) == .malformed("nonce"))
        #expect(self.failure(first: bytes("r=a\(nonce.dropLast()),s=c2FsdA==,i=2")) == nil)
        let salt = text(Base64.encode([UInt8](repeating: 7, count: SCRAMVerifier.saltBytesMax + 1)))
        #expect(self.failure(first: bytes("r=ab,s=\(salt),i=2")) == .malformed("salt"))
        let huge = String(repeating: "b", count: 1 << 20)
        #expect(self.failure(first: bytes("r=a\(huge),s=c2FsdA==,i=2")) == .malformed("too long"))
    }

    @Test(arguments: [
        ("", SCRAMFailure.malformed("attribute name")), ("e=invalid-proof", .serverError("invalid-proof")),
        ("e=a\u{7}b", .serverError("a?b")), ("v=", .malformed("server signature")),
        ("v=AAAA", .malformed("server signature")),
        ("v=Quc3rrSLNy9+wMaqHBJn3nNYHZ+p17W5Daa2T9Rc9z0=,x=1", .malformed("server-final-message")),
        ("x=1", .malformed("server-final-message")),
        ("v=Ruc3rrSLNy9+wMaqHBJn3nNYHZ+p17W5Daa2T9Rc9z0=", .serverSignatureInvalid),
    ])
    func finalMessageIsRefused(message: String, expected: SCRAMFailure) throws {
        #expect(try self.failure(final: bytes(message)) == expected)
    }

    @Test func signatureIsCheckedOnlyWhereTheServerKeyIsKnown() throws {
        let wrong = bytes("v=Ruc3rrSLNy9+wMaqHBJn3nNYHZ+p17W5Daa2T9Rc9z0=")
        #expect(try self.failure(final: wrong, secret: .keys(self.keys(self.vector))) == .serverSignatureInvalid)
        #expect(try self.failure(final: wrong, secret: .keys(self.keys(self.vector, withServerKey: false))) == nil)
    }

    @Test func noMutationTrapsAndNoneOfTheFinalPasses() throws {
        for mutated in mutations(of: bytes(self.vector.serverFirst)) {
            _ = self.failure(first: mutated)
        }
        for mutated in mutations(of: bytes(self.vector.serverFinal)) where mutated != bytes(self.vector.serverFinal) {
            #expect(try self.failure(final: mutated) != nil)
        }
    }

    @Test func messagesOutOfOrderEndTheExchange() throws {
        var client = self.client(self.vector)
        #expect(throws: SCRAMFailure.outOfOrder) { try client.receiveFirst(bytes(self.vector.serverFirst)) }
        _ = client.start()
        #expect(throws: SCRAMFailure.outOfOrder) { try client.receiveFinal(bytes(self.vector.serverFinal)) }
        #expect(throws: SCRAMFailure.outOfOrder) { try client.receiveFirst(bytes(self.vector.serverFirst)) }
    }

    @Test func clientAndServerUnderstandEachOther() throws {
        let password = SecretBytes("correct horse")
        let verifier = SCRAMVerifier(password: password, salt: RandomBytes.make(count: 16), iterations: 3)
        var server = SCRAMServer(verifier: verifier, isMock: false)
        var client = SCRAMClient(secret: .password(password), userName: "a,b=c")
        let final = try client.receiveFirst(try server.receiveFirst(client.start()))
        let success = try server.receiveFinal(final)
        try client.receiveFinal(success.serverFinal)
        #expect(client.keys == success.keys)
        // The won keys log in at another server with the same verifier.
        var second = SCRAMServer(verifier: verifier, isMock: false)
        var passthrough = SCRAMClient(secret: .keys(success.keys))
        let answer = try passthrough.receiveFirst(try second.receiveFirst(passthrough.start()))
        try passthrough.receiveFinal(try second.receiveFinal(answer).serverFinal)
    }
}
