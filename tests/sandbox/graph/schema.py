"""The part of Graph's schema that the stand-in knows: what a message is, and what Mail.ReadBasic shows of it."""

_MESSAGE = (
    *("bccRecipients", "body", "bodyPreview", "ccRecipients", "conversationId", "conversationIndex", "flag", "from"),
    *("hasAttachments", "importance", "inferenceClassification", "internetMessageHeaders", "internetMessageId"),
    *("isDeliveryReceiptRequested", "isDraft", "isRead", "isReadReceiptRequested", "parentFolderId"),
    *("receivedDateTime", "replyTo", "sender", "sentDateTime", "subject", "toRecipients", "uniqueBody", "webLink"),
)
_OUTLOOK_ITEM = ("categories", "changeKey", "createdDateTime", "lastModifiedDateTime")

MESSAGE_PROPERTIES = frozenset({"id", *_MESSAGE, *_OUTLOOK_ITEM})
READ_BASIC = MESSAGE_PROPERTIES - {"body", "bodyPreview", "uniqueBody"}
WELL_KNOWN_FOLDERS = ("inbox", "sentitems", "drafts", "junkemail", "deleteditems", "outbox", "archive")
