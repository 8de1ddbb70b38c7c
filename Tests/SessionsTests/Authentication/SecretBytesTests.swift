import Sessions
import Testing

@Suite struct SecretBytesTests {
    @Test func keepsAndComparesBytes() {
        let secret = SecretBytes([1, 2, 3])
        #expect(secret.count == 3)
        #expect(secret.exposed() == [1, 2, 3])
        #expect(secret == SecretBytes([1, 2, 3]))
        #expect(secret != SecretBytes([1, 2, 4]))
        #expect(secret.matches([1, 2, 3]))
        for wrong: [UInt8] in [[], [1, 2], [1, 2, 3, 4], [0, 2, 3], [1, 2, 0x83]] {
            #expect(!secret.matches(wrong))
        }
    }

    @Test func emptySecretIsFine() {
        let secret = SecretBytes([])
        #expect(secret.isEmpty)
        #expect(secret.exposed() == [])
        #expect(secret == SecretBytes(""))
    }

    @Test func takingOverWipesTheSource() {
        var source = bytes("hunter2")
        let secret = SecretBytes(wiping: &source)
        #expect(source == [UInt8](repeating: 0, count: 7))
        #expect(secret.exposed() == bytes("hunter2"))
    }

    @Test func credentialKeysAreChecked() {
        let good = SecretBytes([UInt8](repeating: 1, count: 32))
        #expect(SCRAMKeys(clientKey: good, serverKey: good, salt: [1], iterations: 1) != nil)
        #expect(SCRAMKeys(clientKey: SecretBytes([1]), serverKey: good, salt: [1], iterations: 1) == nil)
        #expect(SCRAMKeys(clientKey: good, serverKey: SecretBytes([1]), salt: [1], iterations: 1) == nil)
        #expect(SCRAMKeys(clientKey: good, serverKey: good, salt: [], iterations: 1) == nil)
        #expect(SCRAMKeys(clientKey: good, serverKey: good, salt: [1], iterations: 0) == nil)
    }
}
