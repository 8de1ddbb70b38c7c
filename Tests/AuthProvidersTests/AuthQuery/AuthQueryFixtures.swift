import Sessions

@testable import AuthProviders

/// Reproducible randomness (SplitMix64).
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { self.state = seed }

    mutating func next() -> UInt64 {
        self.state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int(self.next() % UInt64(max(bound, 1))) }
    mutating func chance(_ percent: Int) -> Bool { self.below(100) < percent }
}

extension StoredSecret {
    /// An md5 secret that differs from those of other numbers.
    static func numbered(_ number: Int) -> StoredSecret {
        let digits = String(number, radix: 16)
        return StoredSecret(kind: .md5(SecretBytes(String(repeating: "0", count: 32 - digits.count) + digits)))
    }
}

extension AuthQueryRecord {
    static func numbered(_ number: Int) -> AuthQueryRecord { AuthQueryRecord(secret: .numbered(number)) }
}
