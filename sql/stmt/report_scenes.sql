-- For pairmill report: every scene, rounded for reading.
select source,
    scene,
    gts,
    targets,
    done,
    failed + quarantined as failed,
    round(mean_loss, 6) as mean_loss,
    round(mean_gain, 3) as mean_gain,
    round(mean_mask, 4) as mean_mask,
    crops
from scenes
order by source, scene
