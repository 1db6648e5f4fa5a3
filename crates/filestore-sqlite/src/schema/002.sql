-- Where in the content every 32nd segment starts, of contents that have more; landmarks.rs reads it.
-- A content without is read from its first segment.
ALTER TABLE content ADD COLUMN landmarks BLOB;
