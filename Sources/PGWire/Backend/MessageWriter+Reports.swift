/// ErrorResponse and NoticeResponse.
extension MessageWriter {
    package mutating func errorResponse(_ fields: ServerMessageFields) {
        self.report(BackendMessageKind.errorResponse, fields)
    }

    package mutating func noticeResponse(_ fields: ServerMessageFields) {
        self.report(BackendMessageKind.noticeResponse, fields)
    }

    private mutating func report(_ kind: UInt8, _ fields: ServerMessageFields) {
        self.begin(kind)
        for field in fields.fields {
            self.uint8(field.code)
            self.cString(field.text)
        }
        self.uint8(0)
        self.end()
    }
}
