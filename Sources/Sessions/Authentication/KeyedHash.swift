import CDigest

/// A SHA-256 hash, or an HMAC made of it: 32 bytes.
struct Digest: Sendable {
    fileprivate var value = cd_digest()

    /// The hash of `bytes` (FIPS 180-4).
    init(hashing bytes: UnsafeRawBufferPointer) {
        unsafe cd_sha256(bytes.baseAddress, bytes.count, &self.value)
    }

    fileprivate init() {}

    func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        unsafe Swift.withUnsafeBytes(of: self.value) { unsafe body($0) }
    }

    var bytes: [UInt8] { unsafe self.withUnsafeBytes { unsafe Array($0) } }
}

/// Tells contents apart by their SHA-256.
package enum ContentHash {
    package static func sha256(_ bytes: [UInt8]) -> [UInt8] {
        unsafe bytes.withUnsafeBytes { unsafe Digest(hashing: $0).bytes }
    }
}

/// HMAC-SHA-256 (RFC 2104) with the key already absorbed into the inner and the outer hash: one key, many messages.
///
/// Immutable, so any thread may hold it. The states are as secret as the key: wiped when the last holder lets go, and
/// shown to nobody.
@safe
final class KeyedHash: @unchecked Sendable {
    private let states: UnsafeMutablePointer<cd_hmac>

    init(key: SecretBytes) {
        unsafe self.states = .allocate(capacity: 1)
        unsafe self.states.initialize(to: cd_hmac())
        unsafe key.withUnsafeBytes { unsafe cd_hmac_key(self.states, $0.baseAddress, $0.count) }
    }

    deinit {
        unsafe cd_wipe(self.states, MemoryLayout<cd_hmac>.size)
        unsafe self.states.deallocate()
    }

    func code(for message: [UInt8]) -> [UInt8] { self.authenticate(message).bytes }

    func authenticate(_ message: [UInt8]) -> Digest {
        unsafe message.withUnsafeBytes { unsafe self.authenticate($0) }
    }

    func authenticate(_ digest: Digest) -> Digest {
        unsafe digest.withUnsafeBytes { unsafe self.authenticate($0) }
    }

    private func authenticate(_ message: UnsafeRawBufferPointer) -> Digest {
        var code = Digest()
        unsafe cd_hmac_code(self.states, message.baseAddress, message.count, &code.value)
        return code
    }

    /// Half a code at most, for one hash instead of two: the half that is held back keeps anybody from going on where
    /// the message ends.
    ///
    /// - Parameter count: of the bytes wanted, up to 16.
    func shortCode(for message: [UInt8], count: Int) -> [UInt8] {
        var inner = Digest()
        unsafe message.withUnsafeBytes { unsafe cd_hmac_inner(self.states, $0.baseAddress, $0.count, &inner.value) }
        return unsafe inner.withUnsafeBytes { unsafe Array($0.prefix(min(count, 16))) }
    }
}

extension KeyedHash: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    var description: String { "<keyed hash>" }
    var debugDescription: String { self.description }
    var customMirror: Mirror { Mirror(self, children: [:]) }
}
