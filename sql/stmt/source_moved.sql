-- And so does every source that had it, those out of the settings, too.
update source set output = :output, output_text = :output_text where output = :old
