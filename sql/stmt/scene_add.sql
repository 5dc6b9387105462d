-- A scene exists from its first file on, be it gt or target.
insert into scene (source_id, path, name) values (:source, :path, :name)
