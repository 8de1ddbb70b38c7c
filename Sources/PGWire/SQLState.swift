/// A SQLSTATE: five ASCII digits or upper-case letters, packed into one integer.
///
/// Source: PostgreSQL documentation, appendix "PostgreSQL Error Codes".
package struct SQLState: Hashable, Sendable, CustomStringConvertible {
    /// The five bytes, first byte highest.
    private let packed: UInt64

    /// Nil unless `text` is exactly five bytes of `0-9` and `A-Z`.
    package init?(_ text: String) {
        guard text.utf8.count == 5, text.utf8.allSatisfy(Self.isAllowed) else { return nil }
        self.init(known: text)
    }

    private init(known text: String) {
        self.packed = text.utf8.reduce(0) { $0 << 8 | UInt64($1) }
    }

    package var text: String {
        String(decoding: self.bytes, as: UTF8.self)
    }

    /// The five bytes as they stand on the wire.
    package var bytes: [UInt8] {
        [32, 24, 16, 8, 0].map { UInt8(truncatingIfNeeded: self.packed >> $0) }
    }

    package var description: String { self.text }

    /// Class 42: a text cannot be understood, names what does not exist, or asks for what is not allowed.
    package var isSyntaxOrAccessRule: Bool { self.packed >> 24 == 0x3432 }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte)
    }
}

extension SQLState {
    package static let warning = SQLState(known: "01000")
    package static let connectionFailure = SQLState(known: "08006")
    package static let protocolViolation = SQLState(known: "08P01")
    package static let featureNotSupported = SQLState(known: "0A000")
    package static let characterNotInRepertoire = SQLState(known: "22021")
    package static let invalidParameterValue = SQLState(known: "22023")
    package static let activeTransaction = SQLState(known: "25001")
    package static let noActiveTransaction = SQLState(known: "25P01")
    package static let inFailedTransaction = SQLState(known: "25P02")
    package static let invalidStatementName = SQLState(known: "26000")
    package static let invalidAuthorization = SQLState(known: "28000")
    package static let invalidPassword = SQLState(known: "28P01")
    package static let invalidCursorName = SQLState(known: "34000")
    package static let invalidCatalogName = SQLState(known: "3D000")
    package static let insufficientPrivilege = SQLState(known: "42501")
    package static let syntaxError = SQLState(known: "42601")
    package static let undefinedObject = SQLState(known: "42704")
    package static let duplicateCursor = SQLState(known: "42P03")
    package static let duplicatePreparedStatement = SQLState(known: "42P05")
    package static let insufficientResources = SQLState(known: "53000")
    package static let outOfMemory = SQLState(known: "53200")
    package static let tooManyConnections = SQLState(known: "53300")
    package static let configurationLimitExceeded = SQLState(known: "53400")
    package static let programLimitExceeded = SQLState(known: "54000")
    package static let objectNotInPrerequisiteState = SQLState(known: "55000")
    package static let queryCanceled = SQLState(known: "57014")
    package static let adminShutdown = SQLState(known: "57P01")
    package static let cannotConnectNow = SQLState(known: "57P03")
    package static let systemError = SQLState(known: "58000")
    package static let internalError = SQLState(known: "XX000")
}
