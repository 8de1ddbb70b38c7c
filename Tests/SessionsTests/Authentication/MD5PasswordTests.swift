import Sessions
import Testing

/// Expected values come from another implementation of the same formula.
@Suite struct MD5PasswordTests {
    private let hash = SecretBytes("4a0a68b43b6cd5cf266fa02f196e2371")
    private let salt: [UInt8] = [1, 2, 3, 4]

    @Test func hashesPasswordAndUser() {
        #expect(MD5Password.hash(password: SecretBytes("secret"), user: "alice") == self.hash)
        #expect(
            MD5Password.hash(password: SecretBytes("p\u{e4}ssw\u{f6}rd"), user: "bj\u{f8}rn")
                .matches(bytes("1780eada0bd0fa787feb9e3e374875d5"))
        )
    }

    @Test func answersAndVerifiesChallenge() {
        let response = MD5Password.response(hash: self.hash, salt: self.salt)
        #expect(text(response) == "md598a0412b9c31436fc53776e863350083")
        #expect(MD5Password.verify(response: SecretBytes(response), hash: self.hash, salt: self.salt))
        #expect(!MD5Password.verify(response: SecretBytes(response), hash: self.hash, salt: [1, 2, 3, 5]))
    }

    @Test func everyChangedResponseIsRefused() {
        let response = MD5Password.response(hash: self.hash, salt: self.salt)
        for mutated in mutations(of: response) where mutated != response {
            #expect(!MD5Password.verify(response: SecretBytes(mutated), hash: self.hash, salt: self.salt))
        }
    }

    /// The stored text itself must not pass for an answer.
    @Test func storedHashIsNoResponse() {
        #expect(
            !MD5Password.verify(
                response: SecretBytes(bytes("md5") + self.hash.exposed()),
                hash: self.hash,
                salt: self.salt
            )
        )
    }
}
