import CDigest

/// Bytes that nobody may read by accident: a password, a hash that is as good as one, a SCRAM key.
///
/// Owns one buffer shared by all copies of the value and overwritten with zeros when the last copy goes away.
/// Immutable, so any thread may hold it. Descriptions, dumps and mirrors show a fixed word; comparison takes a time
/// that depends on the lengths alone.
public struct SecretBytes: Sendable {
    private let storage: SecretStorage

    /// Copies `bytes`; wiping the source stays with the caller.
    public init(_ bytes: [UInt8]) {
        self.storage = SecretStorage(bytes)
    }

    /// Copies the UTF-8 bytes of `text`.
    public init(_ text: String) {
        self.init(Array(text.utf8))
    }

    /// Takes `bytes` over and leaves zeros behind in the caller's array (copies made before keep theirs).
    public init(wiping bytes: inout [UInt8]) {
        self.init(bytes)
        bytes.wipe()
    }

    /// Number of bytes; lengths are not secret.
    public var count: Int {
        self.storage.count
    }

    public var isEmpty: Bool {
        self.count == 0
    }

    /// A plain copy for the wire or for a library. The copy is not wiped: keep it short-lived.
    public func exposed() -> [UInt8] {
        unsafe self.withUnsafeBytes { buffer in unsafe Array(buffer) }
    }

    /// Lends the bytes themselves, for as long as `body` runs.
    func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        unsafe self.storage.withUnsafeBytes(body)
    }

    /// Constant-time comparison with bytes that came from a peer.
    public func matches(_ bytes: [UInt8]) -> Bool {
        unsafe self.withUnsafeBytes { buffer in unsafe ConstantTime.areEqual(buffer, bytes) }
    }

    /// Constant-time comparison with a digest of what came from a peer.
    func matches(_ digest: Digest) -> Bool {
        unsafe self.withUnsafeBytes { key in
            unsafe digest.withUnsafeBytes { unsafe ConstantTime.areEqual(key, $0) }
        }
    }
}

extension SecretBytes: Equatable {
    /// Constant time for equal lengths.
    public static func == (left: SecretBytes, right: SecretBytes) -> Bool {
        unsafe left.withUnsafeBytes { a in
            unsafe right.withUnsafeBytes { b in unsafe ConstantTime.areEqual(a, b) }
        }
    }
}

extension SecretBytes: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "<secret>" }
    public var debugDescription: String { "<secret>" }
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}

extension [UInt8] {
    /// Overwrites what was secret with zeros, whatever the compiler thinks of it. Only while nobody else has the array:
    /// copies made before keep theirs.
    package mutating func wipe() {
        unsafe self.withUnsafeMutableBytes { unsafe cd_wipe($0.baseAddress, $0.count) }
    }
}

/// The buffer behind `SecretBytes`, wiped when the last of them lets go; plain arrays are not.
@safe
private final class SecretStorage: @unchecked Sendable {
    private let bytes: UnsafeMutableRawBufferPointer

    init(_ bytes: [UInt8]) {
        unsafe self.bytes = .allocate(byteCount: bytes.count, alignment: 1)
        unsafe self.bytes.copyBytes(from: bytes)
    }

    deinit {
        unsafe cd_wipe(self.bytes.baseAddress, self.bytes.count)
        unsafe self.bytes.deallocate()
    }

    var count: Int { unsafe self.bytes.count }

    func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        unsafe body(UnsafeRawBufferPointer(self.bytes))
    }
}

/// Comparison whose duration tells nothing about where two byte strings differ.
package enum ConstantTime {
    /// Looks at every byte of equally long inputs; different lengths are unequal at once.
    package static func areEqual(_ left: some Collection<UInt8>, _ right: some Collection<UInt8>) -> Bool {
        guard left.count == right.count else { return false }
        var difference: UInt8 = 0
        for (a, b) in zip(left, right) {
            difference |= a ^ b
        }
        return difference == 0
    }
}
