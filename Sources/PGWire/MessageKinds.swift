/// First bytes of messages sent by a client.
///
/// The relay's switches have literals of their own (`Sessions`). Source: protocol chapter, "Message Formats".
@usableFromInline
package enum FrontendMessageKind {
    @inlinable package static var bind: UInt8 { UInt8(ascii: "B") }
    @inlinable package static var close: UInt8 { UInt8(ascii: "C") }
    @inlinable package static var copyData: UInt8 { UInt8(ascii: "d") }
    @inlinable package static var copyDone: UInt8 { UInt8(ascii: "c") }
    @inlinable package static var copyFail: UInt8 { UInt8(ascii: "f") }
    @inlinable package static var describe: UInt8 { UInt8(ascii: "D") }
    @inlinable package static var execute: UInt8 { UInt8(ascii: "E") }
    @inlinable package static var flush: UInt8 { UInt8(ascii: "H") }
    @inlinable package static var functionCall: UInt8 { UInt8(ascii: "F") }
    @inlinable package static var parse: UInt8 { UInt8(ascii: "P") }
    /// PasswordMessage, SASLInitialResponse, SASLResponse and GSSResponse share this byte.
    @inlinable package static var password: UInt8 { UInt8(ascii: "p") }
    @inlinable package static var query: UInt8 { UInt8(ascii: "Q") }
    @inlinable package static var sync: UInt8 { UInt8(ascii: "S") }
    @inlinable package static var terminate: UInt8 { UInt8(ascii: "X") }
}

/// First bytes of messages sent by a server, those that the code names.
@usableFromInline
package enum BackendMessageKind {
    @inlinable package static var authentication: UInt8 { UInt8(ascii: "R") }
    @inlinable package static var backendKeyData: UInt8 { UInt8(ascii: "K") }
    @inlinable package static var bindComplete: UInt8 { UInt8(ascii: "2") }
    @inlinable package static var closeComplete: UInt8 { UInt8(ascii: "3") }
    @inlinable package static var commandComplete: UInt8 { UInt8(ascii: "C") }
    @inlinable package static var copyBothResponse: UInt8 { UInt8(ascii: "W") }
    @inlinable package static var copyData: UInt8 { UInt8(ascii: "d") }
    @inlinable package static var copyDone: UInt8 { UInt8(ascii: "c") }
    @inlinable package static var copyInResponse: UInt8 { UInt8(ascii: "G") }
    @inlinable package static var dataRow: UInt8 { UInt8(ascii: "D") }
    @inlinable package static var emptyQueryResponse: UInt8 { UInt8(ascii: "I") }
    @inlinable package static var errorResponse: UInt8 { UInt8(ascii: "E") }
    @inlinable package static var negotiateProtocolVersion: UInt8 { UInt8(ascii: "v") }
    @inlinable package static var noData: UInt8 { UInt8(ascii: "n") }
    @inlinable package static var noticeResponse: UInt8 { UInt8(ascii: "N") }
    @inlinable package static var notificationResponse: UInt8 { UInt8(ascii: "A") }
    @inlinable package static var parameterDescription: UInt8 { UInt8(ascii: "t") }
    @inlinable package static var parameterStatus: UInt8 { UInt8(ascii: "S") }
    @inlinable package static var parseComplete: UInt8 { UInt8(ascii: "1") }
    @inlinable package static var portalSuspended: UInt8 { UInt8(ascii: "s") }
    @inlinable package static var readyForQuery: UInt8 { UInt8(ascii: "Z") }
    @inlinable package static var rowDescription: UInt8 { UInt8(ascii: "T") }
}

/// The number that follows the length of an Authentication message, where the code names it.
@usableFromInline
package enum AuthenticationCode {
    @inlinable package static var ok: Int32 { 0 }
    @inlinable package static var kerberosV5: Int32 { 2 }
    @inlinable package static var cleartextPassword: Int32 { 3 }
    @inlinable package static var md5Password: Int32 { 5 }
    @inlinable package static var gss: Int32 { 7 }
    @inlinable package static var sspi: Int32 { 9 }
    @inlinable package static var sasl: Int32 { 10 }
    @inlinable package static var saslContinue: Int32 { 11 }
    @inlinable package static var saslFinal: Int32 { 12 }
}
