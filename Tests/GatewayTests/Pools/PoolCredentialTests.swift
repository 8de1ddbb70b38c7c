import Sessions
import Testing

@testable import Gateway

@Suite struct PoolCredentialTests {
    private static func password(_ text: String) -> ServerCredential { .cleartext(SecretBytes(Array(text.utf8))) }
    private static func hash(_ text: String) -> ServerCredential { .md5Hash(SecretBytes(Array(text.utf8))) }

    private static func text(_ credential: PoolCredential) -> String {
        switch credential.current {
        case .cleartext(let secret), .md5Hash(let secret):
            String(decoding: secret.exposed(), as: UTF8.self)
        case .none, .scramKeys, .made: "-"
        }
    }

    @Test func theLastLoginThatWasCheckedAgainstTheSecretTeaches() {
        var credential = PoolCredential(.none, isSure: false)
        #expect(credential.isMissing)
        credential.learn(Self.password("directory"), isSure: false)
        #expect(Self.text(credential) == "directory" && !credential.isMissing)
        credential.learn(Self.hash("own"), isSure: true)
        credential.learn(.none, isSure: true)
        #expect(Self.text(credential) == "own")
        credential.learn(Self.hash("newer"), isSure: true)
        #expect(Self.text(credential) == "newer")
    }

    @Test func aPasswordOfADirectoryWaitsUntilAServerHasRefusedTheSecret() {
        var credential = PoolCredential(Self.hash("stored"), isSure: true)
        credential.learn(Self.password("directory"), isSure: false)
        #expect(Self.text(credential) == "stored")
        let tried = credential.number
        var isReplaced = credential.refused(tried)
        #expect(isReplaced && Self.text(credential) == "directory")
        // Another opening that had begun with the first one.
        isReplaced = credential.refused(tried)
        #expect(isReplaced)
        // A server that takes nobody has said nothing about the secret.
        isReplaced = credential.refused(credential.number)
        #expect(!isReplaced && Self.text(credential) == "stored")
    }

    @Test func withoutAnotherARefusalIsOne() {
        var credential = PoolCredential(Self.hash("stored"), isSure: true)
        let isReplaced = credential.refused(credential.number)
        #expect(!isReplaced)
        credential.learn(Self.password("directory"), isSure: false)
        #expect(Self.text(credential) == "directory")
    }

    /// Every login by a stale copy of the secret would else make the next opening try it once more, without a rest.
    @Test func whatIsLearntAgainIsNotAnother() {
        var credential = PoolCredential(.none, isSure: false)
        credential.learn(Self.hash("stale"), isSure: true)
        let tried = credential.number
        credential.learn(Self.hash("stale"), isSure: true)
        let isReplaced = credential.refused(tried)
        #expect(credential.number == tried && !isReplaced)
    }

    /// Tokens that are handed on: each login brings another one.
    @Test func attemptsWithoutASuccessAreFew() {
        var credential = PoolCredential(.none, isSure: false)
        var answers: [Bool] = []
        for number in 0..<4 {
            credential.learn(Self.password("token \(number)"), isSure: false)
            answers.append(credential.refused(credential.number - 1))
        }
        #expect(answers == [true, true, false, false])
        credential.opened()
        let isReplaced = credential.refused(credential.number - 1)
        #expect(isReplaced)
    }

    /// Openings that have begun together.
    @Test func oneRefusedCredentialCountsOnce() {
        var credential = PoolCredential(Self.hash("stored"), isSure: true)
        credential.learn(Self.password("directory"), isSure: false)
        let tried = credential.number
        for _ in 0..<8 {
            let isReplaced = credential.refused(tried)
            #expect(isReplaced && Self.text(credential) == "directory")
        }
    }

    /// A server that has no rule for the gateway says nothing about the secret.
    @Test func aSecretThatWasRefusedOnceIsNotLost() {
        var credential = PoolCredential(Self.hash("stored"), isSure: true)
        var isReplaced = credential.refused(credential.number)
        #expect(!isReplaced)
        credential.learn(Self.password("directory"), isSure: false)
        isReplaced = credential.refused(credential.number)
        #expect(isReplaced && Self.text(credential) == "stored")
    }

    @Test func whatHasWorkedBeforeIsTriedAgain() {
        var credential = PoolCredential(.none, isSure: false)
        credential.learn(Self.password("directory"), isSure: false)
        credential.learn(Self.hash("stale"), isSure: true)
        let isReplaced = credential.refused(credential.number)
        #expect(isReplaced && Self.text(credential) == "directory")
    }

    @Test func aPoolThatTakesThePlaceOfAnotherKeepsWhatOpens() {
        var old = PoolCredential(Self.hash("stored"), isSure: true)
        old.learn(Self.password("directory"), isSure: false)
        _ = old.refused(old.number)
        var new = PoolCredential(Self.hash("stored"), isSure: true)
        new.inherit(from: old)
        #expect(Self.text(new) == "directory")
        new.inherit(from: PoolCredential(.none, isSure: false))
        #expect(Self.text(new) == "directory")
    }
}
