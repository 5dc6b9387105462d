-- A source is known by its name; its folders may move.
insert into source (name, input, input_text, output, output_text, priority, pair_gt_gt, pair_self)
values (:name, :input, :input_text, :output, :output_text, :priority, :pair_gt_gt, :pair_self)
on conflict (name) do update
set input = excluded.input, input_text = excluded.input_text,
    output = excluded.output, output_text = excluded.output_text,
    priority = excluded.priority, pair_gt_gt = excluded.pair_gt_gt,
    pair_self = excluded.pair_self, active = 1
