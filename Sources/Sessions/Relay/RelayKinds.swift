/// First bytes of a client's messages, for the relay's switches: literals of this module become immediate operands
/// there. Source: protocol chapter, "Message Formats".
enum Frontend {
    static var bind: UInt8 { 0x42 }
    static var close: UInt8 { 0x43 }
    static var copyData: UInt8 { 0x64 }
    static var copyDone: UInt8 { 0x63 }
    static var copyFail: UInt8 { 0x66 }
    static var describe: UInt8 { 0x44 }
    static var execute: UInt8 { 0x45 }
    static var flush: UInt8 { 0x48 }
    static var functionCall: UInt8 { 0x46 }
    static var parse: UInt8 { 0x50 }
    static var query: UInt8 { 0x51 }
    static var sync: UInt8 { 0x53 }
    static var terminate: UInt8 { 0x58 }
}

/// The same of a server's messages.
enum Backend {
    static var bindComplete: UInt8 { 0x32 }
    static var closeComplete: UInt8 { 0x33 }
    static var commandComplete: UInt8 { 0x43 }
    static var copyBothResponse: UInt8 { 0x57 }
    static var copyData: UInt8 { 0x64 }
    static var copyDone: UInt8 { 0x63 }
    static var copyInResponse: UInt8 { 0x47 }
    static var copyOutResponse: UInt8 { 0x48 }
    static var dataRow: UInt8 { 0x44 }
    static var emptyQueryResponse: UInt8 { 0x49 }
    static var errorResponse: UInt8 { 0x45 }
    static var functionCallResponse: UInt8 { 0x56 }
    static var noData: UInt8 { 0x6E }
    static var noticeResponse: UInt8 { 0x4E }
    static var notificationResponse: UInt8 { 0x41 }
    static var parameterDescription: UInt8 { 0x74 }
    static var parameterStatus: UInt8 { 0x53 }
    static var parseComplete: UInt8 { 0x31 }
    static var portalSuspended: UInt8 { 0x73 }
    static var readyForQuery: UInt8 { 0x5A }
    static var rowDescription: UInt8 { 0x54 }
}
