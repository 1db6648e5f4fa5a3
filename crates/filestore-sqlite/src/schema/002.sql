-- Where in the content every 32nd segment ends, of contents that have more: 8 bytes each, little end
-- first. Of a content without, sizes are added up from its first segment.
ALTER TABLE content ADD COLUMN landmarks BLOB;
